/**
 * The oracle finds each kind of violation in a record that was written by hand, and nothing in one that keeps every
 * promise. Takes under a second.
 */
import { describe, expect, test } from '@jest/globals';
import type { AcceptedWebhook, Done, EndedWebhook, History, Look, Received } from '../history.ts';
import type { Limits, Operation } from '../story.ts';
import { violationsOf } from './oracle.ts';

const START_MS = 1_800_000_000_000;
const CALL_MS = 10;

interface Arrival {
  readonly id: string;
  readonly atMs: number;
  readonly status?: number;
  readonly inFlight?: number;
  readonly batch?: string;
}

interface Written {
  readonly operations?: readonly [atMs: number, operation: Operation, more?: Partial<Done>][];
  /** By id: when it is accepted, and what else there is to know. */
  readonly webhooks: Readonly<Record<string, [atMs: number, more?: Partial<AcceptedWebhook>]>>;
  readonly arrivals: readonly Arrival[];
  readonly states: Readonly<Record<string, string>>;
  /** Where they differ from the arrivals. */
  readonly attempts?: Readonly<Record<string, number>>;
  readonly messages?: Partial<Record<'accepted' | 'delivered' | 'failed' | 'cancelled' | 'pending', number>>;
  readonly differences?: readonly string[];
  readonly looks?: readonly [atMs: number, controls: Partial<Look['controls']>][];
  readonly endedAtMs?: number;
}

/** Everything is of campaign 1; times are milliseconds after the start. */
function historyOf(written: Written): History {
  const { operations = [], arrivals, states, attempts = {} } = written;
  const moment = (atMs: number) => ({
    requestedAtMs: START_MS + atMs,
    answeredAtMs: START_MS + atMs + CALL_MS,
  });
  const accepted = Object.entries(written.webhooks).map(
    ([id, [atMs, more]]): AcceptedWebhook => ({
      id,
      campaign: 1,
      script: 'ok',
      isFar: false,
      ...moment(atMs),
      ...more,
    }),
  );
  const enqueues = accepted.map(
    (webhook): Done => ({ step: 0, operation: ENQUEUE, ...moment(0), status: 202, webhooks: [webhook] }),
  );
  const done = operations.map(
    ([atMs, operation, more], i): Done => ({ step: i + 1, operation, ...moment(atMs), status: 200, ...more }),
  );
  const received = arrivals.map(
    ({ id, atMs, status = 200, inFlight = 1, batch }): Received => ({
      requestId: batch ?? id,
      webhookIds: [id],
      atMs: START_MS + atMs,
      endedAtMs: START_MS + atMs + 1,
      status,
      inFlight,
    }),
  );
  const ended = Object.entries(states).map(([id, state]): [string, EndedWebhook] => {
    const count = attempts[id] ?? arrivals.filter((arrival) => arrival.id === id).length;
    return [id, { state, attempts: Array.from({ length: count }, () => ({ statusCode: 200 })) }];
  });
  const count = (wanted: string) => Object.values(states).filter((state) => state === wanted).length;
  const messages = {
    accepted: accepted.length,
    delivered: count('delivered'),
    failed: count('failed'),
    cancelled: count('cancelled'),
    pending: 0,
    ...written.messages,
  };
  return {
    done: [...enqueues, ...done],
    looks: (written.looks ?? []).map(([atMs, controls]) => ({
      campaign: 1,
      atMs: START_MS + atMs,
      controls: { state: 'running', priority: 'normal', ...controls },
    })),
    received,
    lags: [],
    ending: {
      webhooks: new Map(ended),
      campaigns: [{ campaign: 1, messages, differences: written.differences ?? [] }],
    },
    endedAtMs: START_MS + (written.endedAtMs ?? 20_000),
  };
}

function broken(written: Written): string[] {
  return [...new Set(violationsOf(historyOf(written)).map(({ promise }) => promise))];
}

const ENQUEUE: Operation = {
  kind: 'enqueue',
  campaign: 1,
  to: { script: 'ok', method: 'POST' },
  count: 1,
  as: 'bulk',
  key: 'none',
};
const PAUSE: Operation = { kind: 'pause-campaign', campaign: 1 };
const RESUME: Operation = { kind: 'resume-campaign', campaign: 1 };
const CANCEL: Operation = { kind: 'cancel-campaign', campaign: 1 };
const REPLAY: Operation = { kind: 'replay-campaign', campaign: 1 };
const CONTROLS: Operation = { kind: 'put-controls', campaign: 1 };
const KILL: Operation = { kind: 'kill-worker', worker: 1 };

function channel(limits: Limits): Operation {
  return { kind: 'put-channel', channel: 1, script: 'ok', method: 'POST', limits };
}

/** Webhooks a0, a1, … of channel 1, all accepted at once, delivered at these times. */
function viaChannel(
  times: readonly number[],
  inFlight = 1,
): Pick<Written, 'webhooks' | 'arrivals' | 'states'> {
  const ids = times.map((_, i) => `a${i}`);
  return {
    webhooks: Object.fromEntries(ids.map((id) => [id, [50, { channel: 1 }]])),
    arrivals: times.map((atMs, i) => ({ id: `a${i}`, atMs, inFlight })),
    states: Object.fromEntries(ids.map((id) => [id, 'delivered'])),
  };
}

const FAILS = [100, 300, 700].map((atMs) => ({ id: 'a', atMs, status: 503 }));

describe('a record that keeps every promise is found to', () => {
  const kept: Readonly<Record<string, Written>> = {
    'a delivery': {
      webhooks: { a: [0] },
      arrivals: [{ id: 'a', atMs: 20 }],
      states: { a: 'delivered' },
    },
    'a pause, and a resume': {
      operations: [
        [100, PAUSE],
        [2_000, RESUME],
      ],
      webhooks: { a: [500] },
      arrivals: [{ id: 'a', atMs: 2_900 }],
      states: { a: 'delivered' },
    },
    'a request that was on its way when the pause was answered': {
      operations: [[100, PAUSE]],
      webhooks: { a: [0] },
      arrivals: [{ id: 'a', atMs: 200 }],
      states: { a: 'delivered' },
    },
    'a cancel, and what is accepted after the resume': {
      operations: [
        [100, CANCEL],
        [2_000, RESUME],
      ],
      webhooks: { a: [50], b: [500], c: [2_050] },
      arrivals: [{ id: 'c', atMs: 2_100 }],
      states: { a: 'cancelled', b: 'cancelled', c: 'delivered' },
    },
    'a failure, and its replay': {
      operations: [[3_000, REPLAY]],
      webhooks: { a: [0, { script: 'down' }] },
      arrivals: [...FAILS, { id: 'a', atMs: 3_100 }],
      states: { a: 'delivered' },
    },
    'a replay that met a cancel and left its dead letter': {
      operations: [
        [2_000, CANCEL],
        [2_100, REPLAY],
      ],
      webhooks: { a: [0, { script: 'down' }] },
      arrivals: FAILS,
      states: { a: 'failed' },
    },
    'a rate with its burst': {
      operations: [[0, channel({ rateLimit: { limit: 10, per: 'second', burst: 2 } })]],
      ...viaChannel([60, 60, 160, 260, 360]),
    },
    'a repeat of what was in flight at a SIGKILL': {
      operations: [[102, KILL, { status: 0, overAtMs: START_MS + 2_000 }]],
      webhooks: { a: [0] },
      arrivals: [
        { id: 'a', atMs: 100 },
        { id: 'a', atMs: 5_000 },
      ],
      attempts: { a: 1 },
      states: { a: 'delivered' },
    },
  };
  test.each(Object.entries(kept))('%s', (_, written) => {
    expect(violationsOf(historyOf(written))).toEqual([]);
  });
});

describe('a record that breaks a promise is found to', () => {
  const cases: readonly (readonly [name: string, promise: string, written: Written])[] = [
    [
      'a request after a pause',
      'stop',
      {
        operations: [[100, PAUSE]],
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 100 + CALL_MS + 101 }],
        states: { a: 'delivered' },
      },
    ],
    [
      "a request after its channel's pause",
      'stop',
      {
        operations: [
          [0, channel({})],
          [100, { kind: 'pause-channel', channel: 1 }],
        ],
        ...viaChannel([400]),
      },
    ],
    [
      'a request after a deadline',
      'stop',
      {
        operations: [[50, CONTROLS, { deadlineAtMs: START_MS + 1_000 }]],
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 1_200 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a request after a cancel',
      'stop',
      {
        operations: [[100, CANCEL]],
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 500 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a request, after a resume, of what was cancelled',
      'cancel',
      {
        operations: [
          [100, CANCEL],
          [200, RESUME],
        ],
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 400 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a webhook that was accepted while its campaign was cancelled, and is delivered after a resume',
      'cancel',
      {
        operations: [
          [100, CANCEL],
          [1_000, RESUME],
        ],
        webhooks: { a: [500] },
        arrivals: [{ id: 'a', atMs: 1_100 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a webhook that is cancelled though it was accepted after the resume',
      'cancel',
      {
        operations: [
          [100, CANCEL],
          [1_000, RESUME],
        ],
        webhooks: { a: [1_100] },
        arrivals: [],
        states: { a: 'cancelled' },
      },
    ],
    [
      'a webhook that waits for more than a second after a resume',
      'resume',
      {
        operations: [
          [0, PAUSE],
          [1_000, RESUME],
        ],
        webhooks: { a: [100] },
        arrivals: [{ id: 'a', atMs: 2_200 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a webhook that waits for more than a second after its limit was removed',
      'limits',
      {
        operations: [
          [0, channel({ rateLimit: { limit: 1, per: 'second' } })],
          [1_000, channel({})],
        ],
        ...viaChannel([100, 2_200]),
      },
    ],
    [
      'a limit that was raised, and nothing flows',
      'limits',
      {
        operations: [
          [0, channel({ rateLimit: { limit: 1, per: 'second' } })],
          [500, channel({ rateLimit: { limit: 10, per: 'second' } })],
        ],
        ...viaChannel([100, 1_700]),
      },
    ],
    [
      'a burst beyond the rate',
      'limits',
      {
        operations: [[0, channel({ rateLimit: { limit: 10, per: 'second', burst: 2 } })]],
        ...viaChannel([60, 60, 60, 60]),
      },
    ],
    [
      'a rate that is too fast in the long run',
      'limits',
      {
        operations: [[0, channel({ rateLimit: { limit: 10, per: 'second', burst: 1 } })]],
        ...viaChannel(Array.from({ length: 40 }, (_, i) => 60 + i * 70)),
      },
    ],
    [
      'more in flight than the concurrency limit',
      'limits',
      { operations: [[0, channel({ concurrencyLimit: 2 })]], ...viaChannel([60], 3) },
    ],
    [
      'an arrival before deliverAt',
      'deliver-at',
      {
        webhooks: { a: [0, { deliverAtMs: START_MS + 1_000 }] },
        arrivals: [{ id: 'a', atMs: 990 }],
        states: { a: 'delivered' },
      },
    ],
    [
      'a cancel that was lost beside a PUT of the controls',
      'controls',
      {
        operations: [
          [0, CANCEL],
          [1, CONTROLS],
        ],
        webhooks: {},
        arrivals: [],
        states: {},
        looks: [[50, { state: 'running' }]],
      },
    ],
    [
      'a rate that was lost beside a pause',
      'controls',
      {
        operations: [
          [0, PAUSE],
          [1, { kind: 'put-controls', campaign: 1, rateLimit: { limit: 5, per: 'second' } }],
        ],
        webhooks: {},
        arrivals: [],
        states: {},
        looks: [[50, { state: 'paused' }]],
      },
    ],
    [
      'a dead letter that is cancelled by a replay while its campaign is cancelled',
      'replay',
      {
        operations: [
          [2_000, CANCEL],
          [2_100, REPLAY],
        ],
        webhooks: { a: [0, { script: 'down' }] },
        arrivals: FAILS,
        states: { a: 'cancelled' },
      },
    ],
    [
      'a dead letter that cannot be replayed after a replay met a cancel',
      'replay',
      {
        operations: [
          [2_000, CANCEL],
          [2_100, REPLAY],
          [3_000, RESUME],
          [4_000, REPLAY],
        ],
        webhooks: { a: [0, { script: 'down' }] },
        arrivals: FAILS,
        states: { a: 'failed' },
      },
    ],
    [
      'a replay that delivers nothing',
      'replay',
      {
        operations: [[3_000, REPLAY]],
        webhooks: { a: [0, { script: 'down' }] },
        arrivals: FAILS,
        states: { a: 'failed' },
      },
    ],
    [
      'a webhook that never ends',
      'accounts',
      { webhooks: { a: [0] }, arrivals: [], states: { a: 'pending' }, messages: { pending: 1 } },
    ],
    [
      'a webhook that is shown as failed though it was delivered',
      'accounts',
      { webhooks: { a: [0] }, arrivals: [{ id: 'a', atMs: 20 }], states: { a: 'failed' } },
    ],
    [
      'a webhook that the fleet does not know any more',
      'accounts',
      { webhooks: { a: [0] }, arrivals: [{ id: 'a', atMs: 20 }], states: {}, attempts: { a: 1 } },
    ],
    [
      'counters that do not agree with the states',
      'accounts',
      {
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 20 }],
        states: { a: 'delivered' },
        messages: { delivered: 2 },
      },
    ],
    [
      'an audit with a difference',
      'accounts',
      {
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 20 }],
        states: { a: 'delivered' },
        differences: ['messages.delivered is 1, the logs say 2'],
      },
    ],
    [
      'a repeat without a SIGKILL',
      'repeats',
      {
        webhooks: { a: [0] },
        arrivals: [
          { id: 'a', atMs: 20 },
          { id: 'a', atMs: 40 },
        ],
        attempts: { a: 1 },
        states: { a: 'delivered' },
      },
    ],
    [
      'a webhook in two batches',
      'repeats',
      {
        webhooks: { a: [0] },
        arrivals: [
          { id: 'a', atMs: 20, batch: 'one' },
          { id: 'a', atMs: 40, batch: 'two' },
        ],
        states: { a: 'delivered' },
      },
    ],
    [
      'an attempt on record that never arrived',
      'repeats',
      {
        webhooks: { a: [0] },
        arrivals: [{ id: 'a', atMs: 20 }],
        attempts: { a: 2 },
        states: { a: 'delivered' },
      },
    ],
    [
      'a call that is answered 500',
      'answers',
      { operations: [[0, PAUSE, { status: 500 }]], webhooks: {}, arrivals: [], states: {} },
    ],
    [
      'a worker that is stopped and does not exit 0',
      'answers',
      {
        operations: [[0, { kind: 'stop-worker', worker: 1 }, { status: 0, exitCode: 1 }]],
        webhooks: {},
        arrivals: [],
        states: {},
      },
    ],
    [
      'a call with the same keys that enqueues again',
      'answers',
      { operations: [[0, ENQUEUE, { status: 202, otherIds: 3 }]], webhooks: {}, arrivals: [], states: {} },
    ],
  ];
  test.each(cases)('%s', (_, promise, written) => {
    expect(broken(written)).toContain(promise);
  });
});

test('a violation is told in one sentence, with its numbers', () => {
  const written: Written = {
    operations: [[100, PAUSE]],
    webhooks: { a: [0] },
    arrivals: [{ id: 'a', atMs: 410 }],
    states: { a: 'delivered' },
  };
  expect(violationsOf(historyOf(written))).toEqual([
    {
      promise: 'stop',
      text: 'campaign 1 was paused at 0.11 s; 1 of its requests began later than 100 ms after that, the last 300 ms after, while it was still held.',
    },
  ]);
});

test('a receiver that was held up is given as much time again', () => {
  const history = historyOf({
    operations: [[100, PAUSE]],
    webhooks: { a: [0] },
    arrivals: [{ id: 'a', atMs: 410 }],
    states: { a: 'delivered' },
  });
  const lags = [{ atMs: START_MS + 412, lagMs: 250 }];
  expect(violationsOf({ ...history, lags })).toEqual([]);
});
