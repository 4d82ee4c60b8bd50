/** Overload is turned away at once, and memory doesn't grow with it. Takes about 2 s. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { expect, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { BYTES_HELD_PER_BODY_BYTE } from '../src/load-shedding.ts';
import { setupProducer, webhook } from './setup-producer.ts';

const body = JSON.stringify({ webhooks: [webhook({ payload: 'x'.repeat(900) })] });

/** A call that has sent its headers and a piece of its body, and holds the rest back. */
async function beginCall(url: string, path = '/v1/webhooks/bulk') {
  const request = httpRequest(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  });
  request.on('error', () => undefined);
  const { promise: sent, resolve } = Promise.withResolvers<void>();
  request.write(body.slice(0, 10), () => resolve());
  await sent;
  return {
    answered: () => once(request, 'response') as Promise<[IncomingMessage]>,
    async finish(): Promise<number> {
      request.end(body.slice(10));
      const [response] = await once(request, 'response');
      response.resume();
      return response.statusCode;
    },
    abort: () => request.destroy(),
  };
}

test.each([
  ['requests in flight', { requestsMax: 2 }],
  ['bytes of their bodies', { bodyBytesHeldMax: 2 * BYTES_HELD_PER_BODY_BYTE * body.length + 1 }],
])('beyond its bound of %s a call gets 503, and room that is given back is used again', async (_, bounds) => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url, bounds);
  const small = () => producer.call('POST', '/v1/webhooks', webhook());
  const calls = [await beginCall(producer.url), await beginCall(producer.url)];
  const shed = await eventually(async () => {
    const answer = await small();
    expect(answer.status).toBe(503);
    return answer;
  });
  expect(shed.headers.get('retry-after')).toBe('1');
  expect(shed.json.detail).toBe('Too much at once. Try again.');
  // What SREs and Kubernetes ask is answered all the same.
  expect((await producer.call('GET', '/healthz')).status).toBe(200);

  expect(await calls[0]?.finish()).toBe(202);
  expect((await small()).status).toBe(202);
  calls[1]?.abort();
  const third = await beginCall(producer.url);
  await eventually(async () => expect((await small()).status).toBe(202));
  expect(await third.finish()).toBe(202);
  await producer.close();
  await redis.stop();
});

test('a call that writes its path in other letters is shed as any other', async () => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url, { requestsMax: 1 });
  const held = await beginCall(producer.url);
  await eventually(async () =>
    expect((await producer.call('POST', '/v1/webhooks', webhook())).status).toBe(503),
  );
  for (const path of ['/%761/webhooks', '/v%31/webhooks', '/%76%31/webhooks/bulk'])
    expect([path, (await producer.call('POST', path, webhook())).status]).toEqual([path, 503]);
  expect(await held.finish()).toBe(202);
  await producer.close();
  await redis.stop();
});

test('what is no call is answered before its body is there', async () => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url);
  for (const path of ['/v1/nothing', '/nothing']) {
    const call = await beginCall(producer.url, path);
    const [response] = await call.answered();
    response.resume();
    expect([response.statusCode, response.headers.connection]).toEqual([404, 'close']);
    call.abort();
  }
  await producer.close();
  await redis.stop();
});

test('values that a body makes are charged before they are made, and given back with the answer', async () => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url, { bodyBytesHeldMax: 4 * 1024 * 1024 });
  expect((await producer.call('PUT', '/v1/event-types/shop.large', {})).status).toBe(201);
  // 180 kB, of which 60,000 values of 72 bytes would be made.
  const lists = Array.from({ length: 60_000 }, () => []);
  const event = { campaignId: 'c', event: 'shop.large', properties: { lists } };
  // Alone, it is taken: else it never would be.
  expect((await producer.call('POST', '/v1/events', event)).status).toBe(202);
  const small = () => producer.call('POST', '/v1/webhooks', webhook());
  // What it took is given back when its answer is out.
  await eventually(async () => expect((await small()).status).toBe(202));
  const { held, shed } = await eventually(async () => {
    const one = await beginCall(producer.url);
    // It is answered behind the call that was begun before it.
    await small();
    const answer = await producer.call('POST', '/v1/events', event);
    if (answer.status !== 503) one.abort();
    expect(answer.status).toBe(503);
    return { held: one, shed: answer };
  });
  expect(shed.headers.get('retry-after')).toBe('1');
  expect((await small()).status).toBe(202);
  // No values are made of a payload.
  expect((await producer.call('POST', '/v1/webhooks', webhook({ payload: lists }))).status).toBe(202);
  expect(await held.finish()).toBe(202);
  await producer.close();
  await redis.stop();
});
