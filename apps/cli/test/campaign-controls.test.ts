/** A campaign is paused, resumed and cancelled through the real processes, and its counters agree. Takes about 7 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, parsePrometheus, type Receiver, sampleValue, startReceiver } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type FleetUnderTest,
  startFleet,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

let fleet: FleetUnderTest;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
});

async function control(campaignId: string, verb: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${fleet.producer.url}/v1/campaigns/${campaignId}/${verb}`, {
    method: body === undefined ? 'POST' : 'PUT',
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return { status: response.status, ...((await response.json()) as object) };
}

const messages = async (campaignId: string) => (await totalsOf(fleet.aggregator, campaignId)).messages;
const stateOf = async (id: string) =>
  ((await (await fetch(`${fleet.producer.url}/v1/webhooks/${id}`)).json()) as { state: string }).state;

interface FleetReport {
  readonly lanes: readonly { readonly campaignId?: string; readonly parkedWebhooks: number }[];
}

async function parkedOf(campaignId: string): Promise<number> {
  const { lanes } = (await (await fetch(`${fleet.aggregator.url}/v1/fleet`)).json()) as FleetReport;
  return lanes.find((lane) => lane.campaignId === campaignId)?.parkedWebhooks ?? 0;
}

/** Sends one by one until the worker knows of the pause, which shows when one waits in the campaign's lane. */
async function untilPaused(campaignId: string): Promise<number> {
  for (let sent = 1; ; sent += 1) {
    const [id = ''] = await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, campaignId, 1)));
    const isParked = await eventually(async () => {
      const parked = await parkedOf(campaignId);
      if (parked === 0) expect(await stateOf(id)).toBe('delivered');
      return parked > 0;
    });
    if (isParked) return sent;
  }
}

test('a paused campaign that is cancelled ends cancelled as a whole', async () => {
  expect(await control('cancelled', 'pause')).toMatchObject({ status: 200, state: 'paused' });
  const sent = await untilPaused('cancelled');
  const before = sent - 1;
  const ids = await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, 'cancelled', 2_000)));
  await eventually(async () =>
    expect(await messages('cancelled')).toMatchObject({ accepted: sent + 2_000, pending: 2_001 }),
  );
  expect(await control('cancelled', 'cancel')).toMatchObject({ status: 200, state: 'cancelled' });
  await eventually(async () =>
    expect(await messages('cancelled')).toEqual({
      accepted: sent + 2_000,
      delivered: before,
      failed: 0,
      cancelled: sent + 2_000 - before,
      pending: 0,
    }),
  );
  expect(await stateOf(ids[0] as string)).toBe('cancelled');
  // What still comes is cancelled too, until the campaign is resumed.
  await enqueue(fleet.producer, webhooksTo(receiver.url, 'cancelled', 3));
  await eventually(async () => expect((await messages('cancelled')).cancelled).toBe(sent + 2_003 - before));
  expect(await control('cancelled', 'resume')).toMatchObject({ state: 'running' });
  await eventually(async () => {
    await enqueue(fleet.producer, webhooksTo(receiver.url, 'cancelled', 1));
    expect((await messages('cancelled')).delivered).toBeGreaterThan(before);
  });
});

test('what a deadline leaves unsent is cancelled, retries included', async () => {
  const failing = await startReceiver(() => ({ status: 503 }));
  const deadline = new Date(Date.now() + 3_000).toISOString();
  expect(await control('late', 'controls', { deadline })).toMatchObject({
    status: 200,
    state: 'running',
    deadline,
  });
  const retry = { delaysMs: [500, 500, 500, 500, 500, 500, 500, 500, 500, 500], jitter: 0 };
  await accepted(await enqueue(fleet.producer, webhooksTo(failing.url, 'late', 10, { retry })));
  await eventually(async () =>
    expect(await messages('late')).toMatchObject({ accepted: 10, cancelled: 10, failed: 0, pending: 0 }),
  );
  const { events } = await totalsOf(fleet.aggregator, 'late');
  expect(events['webhook.bounced']).toBe(failing.ledger.length);
  await failing.close();
});

test.each([
  [{ rateLimit: { limit: 0, per: 'second' } }, 'rateLimit.limit'],
  [{ deadline: 'soon' }, 'deadline'],
  [{ priority: 'urgent' }, 'priority'],
  [{ budget: 5 }, 'budget'],
])('controls of %j are refused, and %s named', async (body, field) => {
  const { status, errors } = await control('any', 'controls', body);
  expect(status).toBe(400);
  expect(errors).toMatchObject([{ field }]);
});

test('metrics tell of all that is pending what it waits for', async () => {
  const failing = await startReceiver(() => ({ status: 503 }));
  const [hour, hourMs] = [new Date(Date.now() + 3_600_000).toISOString(), 3_600_000];
  const retry = { delaysMs: [hourMs], jitter: 0 };
  const waitingNow = async () => {
    const metrics = parsePrometheus(await (await fetch(`${fleet.aggregator.url}/metrics`)).text());
    return (reason: string) => sampleValue(metrics, 'hookfleet_waiting_webhooks', { reason });
  };
  const campaigns = ['waits', 'waits-paused'];
  try {
    await control('waits-paused', 'pause');
    await enqueue(fleet.producer, [
      ...webhooksTo(receiver.url, 'waits', 30).map((webhook) => ({ ...webhook, deliverAt: hour })),
      ...webhooksTo(failing.url, 'waits', 5, { retry }),
      ...webhooksTo(receiver.url, 'waits-paused', 20),
    ]);
    await eventually(async () => {
      const waiting = await waitingNow();
      expect(
        Object.fromEntries(
          ['queued', 'scheduled', 'retry', 'paused', 'batch'].map((reason) => [reason, waiting(reason)]),
        ),
      ).toEqual({ queued: 0, scheduled: 30, retry: 5, paused: 20, batch: 0 });
    });
  } finally {
    for (const campaign of campaigns) await control(campaign, 'cancel');
    await failing.close();
  }
  await eventually(async () => {
    const waiting = await waitingNow();
    for (const reason of ['queued', 'scheduled', 'retry', 'paused']) expect(waiting(reason)).toBe(0);
  });
});
