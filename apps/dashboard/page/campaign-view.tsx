/** A campaign: its totals as they move, the graph, why webhooks failed, and what an operator can do about it. */
import { useState } from 'preact/hooks';
import { CampaignActions } from './campaign-actions.tsx';
import { HeldBy } from './campaign-state.tsx';
import { Failures } from './failures.tsx';
import { milliseconds, number, share, time } from './format.ts';
import { Freshness, NotYet } from './freshness.tsx';
import { useLive } from './live.ts';
import { Properties } from './properties.tsx';
import { ReplayDialog } from './replay-dialog.tsx';
import { Statistics } from './statistics.tsx';
import type { Totals } from './types.ts';
import { eventOf, labelOf, MESSAGE_WORDS, meaningOf, REASON_WORDS } from './words.ts';

export function CampaignView({ campaignId, mayOperate }: { campaignId: string; mayOperate: boolean }) {
  const live = useLive<Totals>('campaign', `campaign=${encodeURIComponent(campaignId)}`);
  const [replaying, setReplaying] = useState<string>();
  const totals = live.state;
  return (
    <>
      <p class="crumbs">
        <a href="#/">Campaigns</a>
      </p>
      <div class="heading">
        <h1 tabIndex={-1}>{campaignId}</h1>
        <Freshness freshness={live.freshness} />
        <CampaignActions campaignId={campaignId} status={totals?.status} mayOperate={mayOperate} />
      </div>
      {totals === undefined && <NotYet freshness={live.freshness} />}
      {totals === null && <p class="panel">Nothing was counted for this campaign yet.</p>}
      {totals != null && (
        <>
          {totals.status !== undefined && <HeldBy status={totals.status} />}
          <Messages totals={totals} />
          <Statistics campaignId={campaignId} totals={totals} />
          {totals.properties !== undefined && <Properties properties={totals.properties} />}
          <div class="columns">
            <Reasons reasons={totals.reasons} />
            <Latency latency={totals.latency} totals={totals} />
          </div>
          <Failures
            campaignId={campaignId}
            failed={totals.messages.failed}
            mayOperate={mayOperate}
            onReplayAll={setReplaying}
          />
        </>
      )}
      {replaying !== undefined && (
        <ReplayDialog campaignId={campaignId} reason={replaying} onClose={() => setReplaying(undefined)} />
      )}
    </>
  );
}

function Messages({ totals: { messages } }: { totals: Totals }) {
  const names = ['accepted', 'delivered', 'failed', 'pending', 'cancelled'] as const;
  return (
    <section aria-labelledby="messages">
      <h2 id="messages">Messages</h2>
      <dl class="tiles">
        {names.map((name) => (
          <div key={name} class={`tile ${name}`}>
            <dt>{labelOf(MESSAGE_WORDS, name)}</dt>
            <dd>
              <strong>{number(messages[name])}</strong>
              {name === 'delivered' && messages.accepted > 0 && (
                <span class="muted"> {share(messages.delivered / messages.accepted)}</span>
              )}
            </dd>
            <dd class="muted small">{meaningOf(MESSAGE_WORDS, name)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Reasons({ reasons }: { reasons: Totals['reasons'] }) {
  const sorted = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const most = sorted[0]?.[1] ?? 1;
  return (
    <section class="panel" aria-labelledby="reasons">
      <h2 id="reasons">Why attempts failed</h2>
      {sorted.length === 0 ? (
        <p class="muted">None did.</p>
      ) : (
        <ul class="bars">
          {sorted.map(([reason, count]) => (
            <li key={reason}>
              <span>
                {labelOf(REASON_WORDS, reason)}{' '}
                <span class="muted small">{meaningOf(REASON_WORDS, reason)}</span>
              </span>
              <span class="count">{number(count)}</span>
              <svg class="bar-of" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
                <rect class={COLOURS[eventOf(reason)]} width={(100 * count) / most} height="1" />
              </svg>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const COLOURS = { 'webhook.bounced': 'bounced', 'webhook.error': 'error' } as const;

function Latency({ latency, totals }: { latency: Totals['latency']; totals: Totals }) {
  const rows = [
    ['Half of the attempts', latency.p50],
    ['95 of 100', latency.p95],
    ['99 of 100', latency.p99],
  ] as const;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <section class="panel" aria-labelledby="latency">
      <h2 id="latency">How long answers took</h2>
      <dl class="pairs">
        {rows.map(([label, value]) => (
          <div key={label}>
            <dt>{label} within</dt>
            <dd>{milliseconds(value)}</dd>
          </div>
        ))}
        {totals.firstEventAt !== undefined && (
          <div>
            <dt>First event</dt>
            <dd>{time(totals.firstEventAt, zone)}</dd>
          </div>
        )}
        {totals.lastEventAt !== undefined && (
          <div>
            <dt>Last event</dt>
            <dd>{time(totals.lastEventAt, zone)}</dd>
          </div>
        )}
      </dl>
    </section>
  );
}
