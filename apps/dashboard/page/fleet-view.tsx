/** The fleet: workers, what waits and for how long, and every channel with its circuit. */
import { useState } from 'preact/hooks';
import { call, path } from './api.ts';
import { FleetEvents } from './fleet-events.tsx';
import { ago, duration, number } from './format.ts';
import { Freshness, NotYet } from './freshness.tsx';
import { useLive, useNow } from './live.ts';
import { tell, tellFailure } from './notices.tsx';
import { campaignLink } from './routes.ts';
import type { Fleet, Lane } from './types.ts';
import { labelOf, REASON_WORDS } from './words.ts';

export function FleetView({ mayOperate }: { mayOperate: boolean }) {
  const { state: fleet, freshness } = useLive<Fleet>('fleet', 'topic=fleet');
  return (
    <>
      <div class="heading">
        <h1 tabIndex={-1}>Fleet</h1>
        <Freshness freshness={freshness} />
      </div>
      {fleet == null ? (
        <NotYet freshness={freshness} />
      ) : (
        <>
          <Tiles fleet={fleet} />
          <Lanes fleet={fleet} mayOperate={mayOperate} />
          <div class="columns">
            <Workers fleet={fleet} />
            <Queues fleet={fleet} />
          </div>
          <FleetEvents events={fleet.events} />
        </>
      )}
    </>
  );
}

function Tiles({ fleet }: { fleet: Fleet }) {
  const tiles = [
    ['Workers', number(fleet.workers.length), 'That reported within ten seconds.'],
    [
      'In flight',
      `${number(fleet.inFlight)} of ${number(fleet.concurrency)}`,
      'Attempts under way, of those that may be at once.',
    ],
    ['Attempts', `${number(fleet.attemptsPerSecond)} / s`, 'Over all workers, of late.'],
    [
      'Time to drain',
      duration(fleet.backlogSeconds),
      fleet.heldWebhooks === 0
        ? 'What waits for workers, at the rate of late. Scale on it.'
        : `What waits for workers, at the rate of late. The ${number(fleet.heldWebhooks)} held back are not in it.`,
    ],
    [
      'Waiting in lanes',
      number(fleet.parkedWebhooks),
      heldText(fleet) ?? 'Webhooks whose destination is limited, failing or paused.',
    ],
  ] as const;
  return (
    <section aria-label="Totals">
      <dl class="tiles">
        {tiles.map(([label, value, meaning]) => (
          <div key={label} class="tile">
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
            </dd>
            <dd class="muted small">{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function heldText({ heldWebhooks, heldOldestSeconds }: Fleet): string | undefined {
  if (heldWebhooks === 0) return undefined;
  // The age is of the queues' latest sample, which may be from before the first was held back.
  const oldest = heldOldestSeconds < 1 ? '' : `, the oldest for ${duration(heldOldestSeconds)}`;
  return `${number(heldWebhooks)} of them held back${oldest}: their destination fails, or their channel or campaign is paused.`;
}

const STATES: Readonly<Record<Lane['circuit']['state'], string>> = {
  closed: 'Sending',
  open: 'Failing',
  paused: 'Paused',
};

function Lanes({ fleet, mayOperate }: { fleet: Fleet; mayOperate: boolean }) {
  const now = useNow();
  return (
    <section class="panel" aria-labelledby="lanes">
      <h2 id="lanes">Channels and lanes</h2>
      <p class="muted small">
        Sending: webhooks go out. Failing: the destination fails, and is probed now and then; what comes
        waits, and uses up no attempts. Paused: nothing is sent until it is resumed.
      </p>
      {fleet.lanes.length === 0 ? (
        <p>No channel is configured, and nothing waits.</p>
      ) : (
        <div class="scroll">
          <table class="cards">
            <thead>
              <tr>
                <th scope="col">Channel, campaign or origin</th>
                <th scope="col" class="words">
                  State
                </th>
                <th scope="col">Since</th>
                <th scope="col">Webhooks waiting</th>
                {mayOperate && <th scope="col">Hold or go on</th>}
              </tr>
            </thead>
            <tbody>
              {fleet.lanes.map((lane) => (
                <LaneRow key={nameOf(lane)} lane={lane} now={now} mayOperate={mayOperate} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {fleet.moreLanes && <p class="muted">There are more than are shown.</p>}
    </section>
  );
}

function LaneRow({ lane, now, mayOperate }: { lane: Lane; now: number; mayOperate: boolean }) {
  const [busy, setBusy] = useState(false);
  const { state, since, why } = lane.circuit;
  const target =
    lane.channelConfigId !== undefined
      ? path.channel(lane.channelConfigId)
      : lane.campaignId !== undefined
        ? path.campaign(lane.campaignId)
        : undefined;
  const verb = state === 'closed' ? 'pause' : 'resume';

  async function act(): Promise<void> {
    setBusy(true);
    try {
      await call(`${target}/${verb}`, { method: 'POST' });
      tell(`${nameOf(lane)} ${verb === 'pause' ? 'is paused' : 'goes on'}.`);
    } catch (error) {
      tellFailure(error);
    }
    setBusy(false);
  }

  return (
    <tr>
      <th scope="row">
        {lane.campaignId === undefined ? (
          nameOf(lane)
        ) : (
          <a href={campaignLink(lane.campaignId)}>{nameOf(lane)}</a>
        )}
      </th>
      <td data-label="State" class="words">
        <span class={`state ${state}`}>{STATES[state]}</span>{' '}
        {why !== undefined && (
          <span class="muted">{why === 'operator' ? 'by an operator' : labelOf(REASON_WORDS, why)}</span>
        )}
      </td>
      <td data-label="Since">{since === undefined ? '–' : ago(since, now)}</td>
      <td data-label="Webhooks waiting">{number(lane.parkedWebhooks)}</td>
      {mayOperate && (
        <td data-label="Hold or go on">
          {target !== undefined && (
            <button
              type="button"
              disabled={busy}
              aria-label={`${verb === 'pause' ? 'Pause' : 'Resume'} ${nameOf(lane)}`}
              onClick={() => void act()}
            >
              {verb === 'pause' ? 'Pause' : 'Resume'}
            </button>
          )}
        </td>
      )}
    </tr>
  );
}

function nameOf({ channelConfigId, campaignId, origin }: Lane): string {
  if (channelConfigId !== undefined) return `Channel ${channelConfigId}`;
  if (campaignId !== undefined) return `Campaign ${campaignId}`;
  return origin ?? '';
}

function Workers({ fleet }: { fleet: Fleet }) {
  const now = useNow();
  return (
    <section class="panel" aria-labelledby="workers">
      <h2 id="workers">Workers</h2>
      {fleet.workers.length === 0 ? (
        <p role="alert">No worker reports: nothing is delivered.</p>
      ) : (
        <div class="scroll">
          <table class="cards">
            <thead>
              <tr>
                <th scope="col">Worker</th>
                <th scope="col">In flight</th>
                <th scope="col">Attempts / s</th>
                <th scope="col">Started</th>
              </tr>
            </thead>
            <tbody>
              {fleet.workers.map(({ workerId, inFlight, concurrency, attemptsPerSecond, startedAt }) => (
                <tr key={workerId}>
                  <th scope="row">{workerId}</th>
                  <td data-label="In flight">
                    {number(inFlight)} <span class="muted">of {number(concurrency)}</span>
                  </td>
                  <td data-label="Attempts / s">{number(attemptsPerSecond)}</td>
                  <td data-label="Started">{ago(startedAt, now)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Queues({ fleet }: { fleet: Fleet }) {
  const states = ['waiting', 'active', 'delayed', 'failed'];
  const jobs = (queue: string, state: string) =>
    fleet.queues.find((one) => one.queue === queue && one.state === state)?.jobs ?? 0;
  return (
    <section class="panel" aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      <p class="muted small">In jobs: one of the webhooks queue holds up to some dozens of webhooks.</p>
      <div class="scroll">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Queue</th>
              {states.map((state) => (
                <th key={state} scope="col">
                  {state}
                </th>
              ))}
              <th scope="col">oldest</th>
            </tr>
          </thead>
          <tbody>
            {fleet.oldestSeconds.map(({ queue, seconds }) => (
              <tr key={queue}>
                <th scope="row">{queue}</th>
                {states.map((state) => (
                  <td key={state} data-label={state}>
                    {number(jobs(queue, state))}
                  </td>
                ))}
                <td data-label="oldest">{duration(seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
