/** What happened to the fleet of late: circuits that changed, what operators did, campaigns that were completed. */
import { ago } from './format.ts';
import { useNow } from './live.ts';
import { campaignLink } from './routes.ts';
import type { FleetEvent } from './types.ts';
import { FLEET_EVENT_WORDS, labelOf, REASON_WORDS } from './words.ts';

export function FleetEvents({ events }: { events: readonly FleetEvent[] }) {
  const now = useNow();
  return (
    <section class="panel" aria-labelledby="events">
      <h2 id="events">What happened</h2>
      {events.length === 0 ? (
        <p class="muted">Nothing yet: no circuit has changed, and no campaign was completed.</p>
      ) : (
        <div class="scroll">
          <table class="cards">
            <thead>
              <tr>
                <th scope="col">Of</th>
                <th scope="col" class="words">
                  What
                </th>
                <th scope="col">When</th>
              </tr>
            </thead>
            <tbody>
              {events.map((event) => (
                <tr key={event.id}>
                  <th scope="row">
                    {event.campaignId === undefined ? (
                      subjectOf(event)
                    ) : (
                      <a href={campaignLink(event.campaignId)}>{subjectOf(event)}</a>
                    )}
                  </th>
                  <td data-label="What" class="words">
                    {whatOf(event)}
                  </td>
                  <td data-label="When">{ago(event.occurredAt, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function subjectOf({ campaignId, channelConfigId, origin }: FleetEvent): string {
  if (campaignId !== undefined) return `Campaign ${campaignId}`;
  return channelConfigId === undefined ? (origin ?? '') : `Channel ${channelConfigId}`;
}

function whatOf({ event, state, why }: FleetEvent): string {
  const what = labelOf(FLEET_EVENT_WORDS, state === undefined ? event : `circuit ${state}`);
  return why === undefined || state === 'closed' ? what : `${what}: ${labelOf(REASON_WORDS, why)}`;
}
