/** How every webhook ended: by the model and the receiver's record, beside what the fleet says of it, and the counters of its campaign. */
import { MESSAGE_STATES, type Received, type Violation } from '../history.ts';
import type { Evidence, WebhookEvidence } from './evidence.ts';

const SHOWN = 3;

export function checkEnding(evidence: Evidence): Violation[] {
  return [...checkStates(evidence), ...checkTotals(evidence), ...checkRepeats(evidence)];
}

/** The states that a webhook may end in. Empty: it should have been sent, and was not. */
function expectedStates({ lives, reachAt }: WebhookEvidence): string[] {
  if (lives.some(({ end }) => end?.state === 'delivered')) return ['delivered'];
  const life = lives.at(-1) ?? lives[0];
  const hasFailed = lives.some(({ end }) => end?.state === 'failed');
  const { isPossible } = reachAt(Math.max(life.requestedAtMs, life.answeredAtMs));
  return [
    // A replay that was cancelled, or that came before the failure was recorded, leaves the dead letter.
    ...(life.end?.state === 'failed' || (hasFailed && (isPossible || !life.isCertain)) ? ['failed'] : []),
    ...(life.end === undefined && isPossible ? ['cancelled'] : []),
  ];
}

function checkStates(evidence: Evidence): Violation[] {
  const wrong = evidence.webhooks.flatMap((one) => {
    const { id, campaign } = one.webhook;
    const expected = expectedStates(one);
    const state = evidence.history.ending.webhooks.get(id)?.state ?? 'unknown to the fleet';
    if (expected.includes(state)) return [];
    const sent = one.requests.map(({ status }) => status ?? 'no answer').join(', ');
    const wanted = expected.length === 0 ? 'sent, and delivered or failed' : expected.join(' or ');
    return [
      { id, state, wanted, campaign, sent: sent || 'no request', isReplayed: isReplayed(evidence, one) },
    ];
  });
  const groups = Map.groupBy(wrong, ({ wanted, state, campaign }) => `${campaign} ${wanted} ${state}`);
  return [...groups.values()].map((some) => {
    const [{ wanted, state, campaign, sent, isReplayed: isOfReplay }] = some as [(typeof some)[0]];
    const ids = some.slice(0, SHOWN).map(({ id }) => id);
    const shown = `${ids.join(', ')}${some.length > SHOWN ? ', …' : ''}; the first was answered: ${sent}`;
    return {
      promise: isOfReplay
        ? 'replay'
        : state === 'cancelled' || wanted === 'cancelled'
          ? 'cancel'
          : 'accounts',
      text: `${some.length} webhooks of campaign ${campaign} must end as ${wanted} and are ${state} (${shown}).`,
    };
  });
}

/** Did a replay of its campaign come after it had failed? */
function isReplayed({ model }: Evidence, { webhook, lives }: WebhookEvidence): boolean {
  const failedAtMs = lives.find(({ end }) => end?.state === 'failed')?.end?.atMs ?? Number.POSITIVE_INFINITY;
  return model.replays.some(
    ({ operation, answeredAtMs }) =>
      'campaign' in operation && operation.campaign === webhook.campaign && answeredAtMs > failedAtMs,
  );
}

function checkTotals({ history, webhooks }: Evidence): Violation[] {
  return history.ending.campaigns.flatMap(({ campaign, messages, differences }) => {
    const own = webhooks.filter(({ webhook }) => webhook.campaign === campaign);
    const states = own.map(({ webhook }) => history.ending.webhooks.get(webhook.id)?.state);
    const actual = {
      accepted: own.length,
      ...Object.fromEntries(
        MESSAGE_STATES.map((state) => [state, states.filter((one) => one === state).length]),
      ),
      pending: 0,
    };
    const off = Object.entries(actual).flatMap(([name, count]) => {
      const counted = messages[name as keyof typeof messages];
      return counted === count ? [] : [`${name} is ${counted} and should be ${count}`];
    });
    return [
      ...(off.length === 0 ? [] : [`the totals of campaign ${campaign} are wrong: ${off.join(', ')}.`]),
      ...(differences.length === 0
        ? []
        : [`the audit of campaign ${campaign} finds differences: ${differences.join(', ')}.`]),
    ].map((text) => ({ promise: 'accounts' as const, text }));
  });
}

/** Each request is an attempt on record, but for those in flight when a worker was killed. */
function checkRepeats(evidence: Evidence): Violation[] {
  const { ending } = evidence.history;
  const requestsOf = Map.groupBy(evidence.received, ({ requestId }) => requestId);
  const attemptsOf = new Map<string, number>();
  const batchesOf = new Map<string, Set<string>>();
  for (const { webhook, requests } of evidence.webhooks) {
    const ended = ending.webhooks.get(webhook.id);
    // What has not ended has other attempts by the time that it is looked up: that it has not ended is told elsewhere.
    if (ended === undefined || !MESSAGE_STATES.some((state) => state === ended.state)) continue;
    attemptsOf.set(ended.batchId ?? webhook.id, ended.attempts.length);
    batchesOf.set(webhook.id, new Set(requests.map(({ requestId }) => requestId)));
  }
  const repeated = [...attemptsOf].flatMap(([id, attempts]) => {
    const requests = requestsOf.get(id) ?? [];
    const more = requests.length - attempts - requests.filter((one) => inFlightAtKill(evidence, one)).length;
    return more > 0 ? [{ id, more }] : [];
  });
  const missing = [...attemptsOf].filter(([id, attempts]) => attempts > (requestsOf.get(id)?.length ?? 0));
  const twice = [...batchesOf].filter(
    ([id, ids]) =>
      ids.size > 1 &&
      !evidence.received.some((one) => one.webhookIds.includes(id) && inFlightAtKill(evidence, one)),
  );
  const told = (count: number, id: string | undefined, what: string): Violation[] =>
    count === 0 ? [] : [{ promise: 'repeats', text: `${count} ${what} (${id}).` }];
  return [
    ...told(
      repeated.length,
      repeated[0]?.id,
      'webhooks arrived more often than attempts are on record, without being in flight at a SIGKILL',
    ),
    ...told(missing.length, missing[0]?.[0], 'webhooks have attempts on record that never arrived'),
    ...told(
      twice.length,
      twice[0]?.[0],
      'webhooks arrived both by themselves and in a batch, or in two batches',
    ),
  ];
}

function inFlightAtKill({ model, slack }: Evidence, { atMs, endedAtMs }: Received): boolean {
  return model.disturbances.some(
    ({ kind, fromMs, untilMs }) =>
      kind === 'killed' &&
      atMs <= Math.min(untilMs, fromMs + slack.recordMs) &&
      endedAtMs >= fromMs - slack.recordMs,
  );
}
