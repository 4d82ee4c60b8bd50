/**
 * What no producer would take does not compile, and what it takes does. The type check of the workspace is the test: an
 * expected error that does not come is an error itself. Takes under a second.
 */
import { expect, test } from '@jest/globals';
import type { Client, CustomEvent, Destination, Webhook } from '../src/index.ts';

const ids = { campaignId: 'c', messageId: 'm' } as const;
const destination: Destination = { url: 'https://example.com/hook' };

/** Never called: what it holds is checked, not run. */
export function compiles(client: Client, anyDestination: Destination, order: Order): unknown[] {
  return [
    client.enqueue({ ...ids, destination, payload: { a: [1, null, 'x'] } }),
    client.enqueue({ ...ids, channelConfigId: 31, payload: null, userId: undefined }),
    client.enqueue({ ...ids, destination: anyDestination, body: 'a=1', contentType: 'text/plain' }),
    client.enqueue({ ...ids, destination, payload: order }),
    client.enqueue({ ...ids, destination, payload: new Date() }),
    client.enqueue({ ...ids, destination: { url: 'https://example.com', method: 'GET' } }),
    client.enqueue({ ...ids, destination: { url: 'https://example.com', method: 'DELETE' } }),
    client.enqueueAll([{ ...ids, destination, payload: 1 }]),
    client.enqueueAll([
      { ...ids, destination, payload: 1 },
      { ...ids, channelConfigId: 'crm', body: '', contentType: 'text/plain' },
    ]),
    client.enqueueAll(orders()),
    client.enqueueAll(new Set<Webhook>()),
    client.report({ campaignId: 'c', event: 'shop.order', properties: order }),
    client.report({ campaignExternalReferenceId: 7, event: 'shop.order' }),
    client.reportAll([{ campaignId: 'c', campaignExternalReferenceId: 'x', event: 'shop.order' }]),
    client.reportAll(new Set<CustomEvent>()),
  ];
}

interface Order {
  readonly price: number;
}

async function* orders() {
  yield { ...ids, userId: 'u', destination, payload: { price: 1 } };
}

export function doesNotCompile(client: Client): unknown[] {
  return [
    // @ts-expect-error neither destination nor channel
    client.enqueue({ ...ids, payload: 1 }),
    // @ts-expect-error both destination and channel
    client.enqueue({ ...ids, destination, channelConfigId: 31, payload: 1 }),
    // @ts-expect-error neither payload nor body
    client.enqueue({ ...ids, destination }),
    // @ts-expect-error a channel's webhook with neither
    client.enqueue({ ...ids, channelConfigId: 31 }),
    // @ts-expect-error both payload and body
    client.enqueue({ ...ids, destination, payload: 1, body: 'a', contentType: 'text/plain' }),
    // @ts-expect-error body without contentType
    client.enqueue({ ...ids, destination, body: 'a' }),
    // @ts-expect-error contentType without body
    client.enqueue({ ...ids, destination, payload: 1, contentType: 'text/plain' }),
    // @ts-expect-error bigint
    client.enqueue({ ...ids, destination, payload: 1n }),
    // @ts-expect-error bigint as an id
    client.enqueue({ ...ids, campaignId: 1n, destination, payload: 1 }),
    // @ts-expect-error undefined
    client.enqueue({ ...ids, destination, payload: undefined }),
    // @ts-expect-error an unknown field
    client.enqueue({ ...ids, destination, payload: 1, colour: 'red' }),
    // @ts-expect-error an unknown field of the destination
    client.enqueue({ ...ids, destination: { ...destination, colour: 'red' }, payload: 1 }),
    // @ts-expect-error no campaign
    client.enqueue({ messageId: 'm', destination, payload: 1 }),
    // @ts-expect-error in a list, neither destination nor channel
    client.enqueueAll([{ ...ids, payload: 1 }]),
    // @ts-expect-error in a list, both payload and body
    client.enqueueAll([{ ...ids, destination, payload: 1, body: 'a', contentType: 'text/plain' }]),
    // @ts-expect-error in a list, bigint
    client.enqueueAll([{ ...ids, destination, payload: 1n }]),
    // @ts-expect-error in a list, an unknown field
    client.enqueueAll([{ ...ids, destination, payload: 1, colour: 'red' }]),
    // @ts-expect-error in a list, an unknown field of the second item
    client.enqueueAll([
      { ...ids, destination, payload: 1 },
      { ...ids, destination, payload: 1, colour: 'red' },
    ]),
    // @ts-expect-error in a list, an unknown field of a destination
    client.enqueueAll([{ ...ids, destination: { url: 'https://example.com', colour: 'red' }, payload: 1 }]),
    // @ts-expect-error of a generator, an unknown field
    client.enqueueAll(coloured()),
    // @ts-expect-error an event without a campaign
    client.report({ event: 'shop.order' }),
    // @ts-expect-error an unknown field of an event
    client.report({ campaignId: 'c', event: 'shop.order', colour: 'red' }),
    // @ts-expect-error in a list, an event without a campaign
    client.reportAll([{ event: 'shop.order' }]),
    // @ts-expect-error in a list, an unknown field of an event
    client.reportAll([{ campaignId: 'c', event: 'shop.order', colour: 'red' }]),
  ];
}

function* coloured() {
  yield { ...ids, destination, payload: 1, colour: 'red' };
}

test('a result knows the type of its item', () => {
  type UserIds = (client: Client) => AsyncGenerator<string, void>;
  const userIds: UserIds = async function* (client) {
    for await (const { item } of client.enqueueAll(orders())) yield item.userId;
  };
  expect(userIds).toBeInstanceOf(Function);
});
