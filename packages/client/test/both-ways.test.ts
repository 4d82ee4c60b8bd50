/** What the client promises, over HTTP and straight to Redis alike, with a real producer and a real Redis. Takes about 7 s. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually, startTcpProxy } from '@hookfleet/testkit';
import { type Client, type CustomEvent, RefusedError, UnavailableError, type Webhook } from '../src/index.ts';
import { type FleetEntrance, startFleetEntrance, WAYS, type Way, webhook, webhooks } from './setup-client.ts';

let fleet: FleetEntrance;
const clients = {} as Record<Way, Client>;

beforeAll(async () => {
  fleet = await startFleetEntrance();
  for (const way of WAYS) clients[way] = await fleet.connect(way);
  const put = (path: string, body: object) =>
    fetch(fleet.url + path, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect(
    (await put('/v1/channels/31', { url: 'http://127.0.0.1:9/hook', externalReferenceId: 'crm' })).status,
  ).toBe(201);
  expect((await put('/v1/event-types/shop.order', { properties: { price: 'FLOAT' } })).status).toBe(201);
});

afterAll(async () => {
  for (const way of WAYS) await clients[way].close();
  await fleet.close();
});

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const result of results) taken.push(result);
  return taken;
}

/** What a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<RefusedError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RefusedError);
  return error as RefusedError;
}

describe.each(WAYS)('%s', (way) => {
  test('a webhook is enqueued, counted as accepted once, and found by its id', async () => {
    const campaignId = `${way}-one`;
    const { id } = await clients[way].enqueue(webhook({ campaignId, messageId: 7 }));
    expect(await clients[way].find(id)).toMatchObject({
      id,
      campaignId,
      messageId: '7',
      state: 'pending',
      attempts: [],
    });
    expect(await clients[way].find('wh_0_000000000000_0_0')).toBeUndefined();
    await eventually(() => expect(fleet.accepted(campaignId)).toBe(1));
  });

  test('a channel takes webhooks, and an unknown one is a fault of its field', async () => {
    const { id } = await clients[way].enqueue({
      campaignId: 'c',
      messageId: 'm',
      channelConfigId: 31,
      payload: 1,
    });
    expect(await clients[way].find(id)).toMatchObject({ channelConfigId: '31' });
    const { errors } = await refusal(
      clients[way].enqueue({ campaignId: 'c', messageId: 'm', channelConfigId: 32, payload: 1 }),
    );
    expect(errors).toMatchObject([{ field: 'channelConfigId', type: 'UNKNOWN_VALUE' }]);
  });

  test('of many, each gets what came of it, in order: an id, or its refusal by its own fields', async () => {
    const campaignId = `${way}-many`;
    const items: Webhook[] = [...webhooks(campaignId, 2_500)];
    const faults = new Map<number, [Webhook, string]>([
      [0, [webhook({ campaignId, payload: undefined }), 'payload']],
      [1_100, [webhook({ campaignId, destination: { url: 'ftp://127.0.0.1/' } }), 'destination.url']],
      [1_101, [{ campaignId, messageId: 'm', channelConfigId: 'none', payload: 1 }, 'channelConfigId']],
      [2_499, [webhook({ campaignId, payload: 1n }), '']],
    ]);
    for (const [at, [item]] of faults) items[at] = item;
    const results = await all(clients[way].enqueueAll(items));
    expect(results.map(({ index }) => index)).toEqual([...items.keys()]);
    expect(results.every(({ item, index }) => item === items[index])).toBe(true);
    const refused = results.filter((result) => result.refused !== undefined);
    expect(
      refused.map(({ index, refused: { errors } = { errors: [] } }) => [
        index,
        errors.map(({ field }) => field),
      ]),
    ).toEqual([...faults].map(([at, [, field]]) => [at, [field]]));
    const ids = results.flatMap((result) => (result.refused === undefined ? result.id : []));
    expect(new Set(ids).size).toBe(items.length - faults.size);
    await eventually(() => expect(fleet.accepted(campaignId)).toBe(items.length - faults.size));
    expect(await clients[way].find(ids.at(-1) ?? '')).toMatchObject({ campaignId });
  });

  test('a source is read no faster than results are taken', async () => {
    let read = 0;
    const source = function* () {
      for (const item of webhooks(`${way}-slow`, 1_000)) {
        read += 1;
        yield item;
      }
    };
    const results = clients[way].enqueueAll(source(), { callItemsMax: 10, concurrency: 3 });
    for (let taken = 1; taken <= 100; taken += 1) {
      await results.next();
      // Three calls, counted until their results are taken.
      expect(read).toBeLessThanOrEqual(10 * (Math.ceil(taken / 10) + 3));
    }
    await results.return();
    const atReturn = read;
    await clients[way].enqueue(webhook());
    expect(read).toBe(atReturn);
  });

  test('a webhook of a source that goes on is enqueued though no other follows', async () => {
    const more = Promise.withResolvers<void>();
    const source = async function* () {
      yield webhook();
      await more.promise;
    };
    const results = clients[way].enqueueAll(source());
    expect(await results.next()).toMatchObject({ value: { index: 0, id: expect.stringMatching(/^wh_/) } });
    more.resolve();
    expect(await results.next()).toMatchObject({ done: true });
  });

  test('what was enqueued before the source fails has its result, and then the error comes', async () => {
    const source = function* () {
      yield webhook();
      throw new Error('the database is gone');
    };
    const results = clients[way].enqueueAll(source());
    expect(await results.next()).toMatchObject({ value: { index: 0 } });
    await expect(results.next()).rejects.toThrow('the database is gone');
  });

  test('a key of the caller stands for one webhook, across calls and ways', async () => {
    const keyed = webhook({ campaignId: `${way}-keyed`, idempotencyKey: 'order-1' });
    const { id } = await clients[way].enqueue(keyed);
    for (const other of WAYS) {
      expect(await clients[other].enqueue(keyed)).toEqual({ id });
      expect(await all(clients[other].enqueueAll([keyed]))).toMatchObject([{ id }]);
    }
  });

  test.each(['enqueue', 'enqueueAll'] as const)(
    'the answer to %s is lost: it is made again, and enqueues nothing twice',
    async (call) => {
      const campaignId = `${way}-lost-${call}`;
      const { port } = new URL(way === 'http' ? fleet.url : fleet.redis.url);
      const proxy = await startTcpProxy({ port: Number(port) });
      const client = await fleet.connect(way, { port: proxy.port });
      const lost = proxy.loseReplyAfter(campaignId);
      const item = webhook({ campaignId });
      const ids =
        call === 'enqueue'
          ? [await client.enqueue(item)]
          : await all(client.enqueueAll([item, webhook({ campaignId: `${way}-beside` })]));
      await lost;
      expect(ids[0]).toMatchObject({ id: expect.stringMatching(/^wh_/) });
      await client.close();
      await proxy.close();
      // Jobs may be two, under one id: workers claim it, and the campaign counts its position once.
      const { id } = ids[0] as { id: string };
      const key = await fleet.connection.keys('{hookfleet:0}:idempotency:*');
      expect((await fleet.connection.mget(key)).filter((value) => value === id)).toHaveLength(1);
      expect((await clients[way].find(id))?.campaignId).toBe(campaignId);
    },
  );

  test('while nobody answers a call ends at its deadline, or at the signal', async () => {
    const { port } = new URL(way === 'http' ? fleet.url : fleet.redis.url);
    const proxy = await startTcpProxy({ port: Number(port) });
    const client = await fleet.connect(way, { port: proxy.port, deadlineMs: 300 });
    proxy.onRequest(() => false);
    await expect(client.enqueue(webhook())).rejects.toBeInstanceOf(UnavailableError);
    await expect(client.find('wh_0_000000000000_0_0')).rejects.toBeInstanceOf(UnavailableError);
    await expect(all(client.enqueueAll([webhook()]))).rejects.toBeInstanceOf(UnavailableError);
    const reason = new Error('enough');
    const ending = new AbortController();
    const calls = [
      client.enqueue(webhook(), { deadlineMs: 60_000, signal: ending.signal }),
      all(
        client.enqueueAll(webhooks('c', 100), {
          deadlineMs: 60_000,
          signal: ending.signal,
          callItemsMax: 10,
        }),
      ),
    ];
    ending.abort(reason);
    for (const call of calls) await expect(call).rejects.toBe(reason);
    await client.close();
    await proxy.close();
  });

  test('custom events are reported, one or many; properties that are not activated are named', async () => {
    const campaignId = `${way}-events`;
    const event: CustomEvent = {
      campaignId,
      event: 'shop.order',
      channelConfigExternalReferenceId: 'crm',
      properties: { price: 9.5, colour: 'red' },
    };
    expect(await clients[way].report(event)).toEqual({ ignored: ['properties.colour'] });
    const { errors } = await refusal(clients[way].report({ campaignId, event: 'shop.return' }));
    expect(errors).toMatchObject([{ field: 'event', type: 'UNKNOWN_VALUE' }]);
    const results = await all(
      clients[way].reportAll([{ campaignId, event: 'shop.order' }, { campaignId, event: 'none' }, event]),
    );
    expect(results).toMatchObject([
      { index: 0, ignored: [] },
      { index: 1, refused: { errors: [{ field: 'event' }] } },
      { index: 2, ignored: ['properties.colour'] },
    ]);
    await eventually(() =>
      expect(fleet.events.filter((one) => one.campaignId === campaignId)).toMatchObject([
        { event: 'shop.order', numbers: { price: 9.5 }, channelConfigId: '31', id: expect.any(String) },
        { event: 'shop.order' },
        { event: 'shop.order', numbers: { price: 9.5 } },
      ]),
    );
  });

  test('options and items that can not be used are told at once', async () => {
    await expect(clients[way].enqueueAll([], { concurrency: 0 }).next()).rejects.toThrow(TypeError);
    await expect(clients[way].enqueueAll([], { callItemsMax: 1_001 }).next()).rejects.toThrow(TypeError);
    const { errors } = await refusal(clients[way].enqueue(null as unknown as Webhook));
    expect(errors.map(({ field }) => field)).toEqual(expect.arrayContaining(['campaignId', 'messageId']));
  });
});

test('each of many items is refused with all of its faults, and a call says from which item on it lists none', async () => {
  const item = { ...webhook(), campaignId: ' ', messageId: ' ', colour: 'red' } as unknown as Webhook;
  const event = { campaignId: ' ', event: 'shop.order', messageId: ' ', colour: 'red' } as CustomEvent;
  for (const way of WAYS) {
    const results = await all(clients[way].enqueueAll(Array<Webhook>(200).fill(item)));
    const events = await all(clients[way].reportAll(Array<CustomEvent>(200).fill(event)));
    for (const { refused } of [...results, ...events]) {
      expect(refused?.errors.map(({ field }) => field).sort()).toEqual(['campaignId', 'colour', 'messageId']);
      expect(refused?.problem.detail).toBe('Some fields are at fault.');
    }
  }
  for (const [path, list, one] of [
    ['/v1/webhooks/bulk', 'webhooks', item],
    ['/v1/events', 'events', event],
  ] as const) {
    const answer = await fetch(fleet.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ [list]: Array(200).fill(one) }),
    });
    const { detail, errors } = (await answer.json()) as { detail: string; errors: object[] };
    expect(errors).toHaveLength(99);
    expect(detail).toContain(`${list}[33] and the items after it are not listed`);
  }
});

test('a refusal is the same both ways, to the letter', async () => {
  const wrong = [
    {},
    { ...webhook(), colour: 'red' },
    { ...webhook(), campaignId: ' ', messageId: [] },
    webhook({ deliverAt: '2020-13-01' }),
    webhook({ payload: 'x'.repeat(1024 * 1024) }),
    webhook({ idempotencyKey: '' }),
    { ...webhook(), payload: undefined, body: 'a' },
    { ...webhook(), payload: undefined, body: '\ud800', contentType: 'text/plain' },
    webhook({ payload: JSON.parse(`${'['.repeat(65)}${']'.repeat(65)}`) }),
    webhook({ messageId: 2 ** 53 }),
    // Beyond what a producer reads of a call of one, of an item and of a call of many.
    ...[1.5, 3, 5].flatMap((mebibytes) => [
      webhook({ payload: { a: 'x'.repeat(mebibytes * 1024 * 1024) } }),
      webhook({ payload: undefined, body: 'x'.repeat(mebibytes * 1024 * 1024), contentType: 'text/plain' }),
    ]),
    webhook({ payload: 'x'.repeat(40 * 1024 * 1024) }),
    webhook({ payload: undefined, body: 'x'.repeat(40 * 1024 * 1024), contentType: 'text/plain' }),
  ] as Webhook[];
  for (const item of wrong) {
    const [http, redis] = await Promise.all(WAYS.map((way) => refusal(clients[way].enqueue(item))));
    expect(redis?.problem).toEqual(http?.problem);
    expect(redis?.message).toBe(http?.message);
  }
  const fields = ['payload', 'body', 'payload', 'body', 'payload', 'body', 'payload', ''];
  for (const [at, item] of wrong.slice(-fields.length).entries()) {
    const { errors } = await refusal(clients.http.enqueue(item));
    expect(errors).toMatchObject([{ field: fields[at], type: 'TOO_LONG' }]);
  }
  const [http, redis] = await Promise.all(WAYS.map((way) => all(clients[way].enqueueAll(wrong))));
  expect(redis?.map(({ refused }) => refused?.problem)).toEqual(http?.map(({ refused }) => refused?.problem));
  const event = { campaignId: 'c', event: 'shop.order', properties: { price: 1, colour: 2 ** 53 } };
  const [byHttp, byRedis] = await Promise.all(WAYS.map((way) => refusal(clients[way].report(event))));
  expect(byHttp?.errors).toMatchObject([{ field: 'properties.colour', type: 'INVALID_VALUE' }]);
  expect(byRedis?.problem).toEqual(byHttp?.problem);
  const bulk = await Promise.all(WAYS.map((way) => all(clients[way].reportAll([event]))));
  for (const [result] of bulk) expect(result?.refused?.problem).toEqual(byHttp?.problem);
});
