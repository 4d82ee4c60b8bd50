import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { signatureHeaders } from './sign.ts';

const secret = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;

test('a receiver verifies the signature with the standardwebhooks package, with each secret of a rotation', () => {
  const body = '{"grüße":"\u{1F44B}"}';
  const headers = signatureHeaders({
    webhookId: 'wh_1',
    nowMs: Date.now(),
    body,
    secrets: [secret('a'), secret('b')],
  });
  expect(new Webhook(secret('a')).verify(body, headers)).toEqual(JSON.parse(body));
  expect(new Webhook(secret('b')).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(secret('c')).verify(body, headers)).toThrow();
  expect(() => new Webhook(secret('a')).verify(`${body} `, headers)).toThrow();
});

test('without secrets the id and the time are sent, and no signature', () => {
  expect(
    signatureHeaders({ webhookId: 'wh_1', nowMs: 1_700_000_000_999, body: '', secrets: undefined }),
  ).toEqual({
    'webhook-id': 'wh_1',
    'webhook-timestamp': '1700000000',
  });
});
