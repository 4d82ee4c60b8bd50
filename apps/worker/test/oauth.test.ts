/**
 * OAuth 2.0 client credentials against a real token endpoint: kept, shared, renewed, and what its failures become.
 * Takes about 2 s.
 */
import { getCACertificates } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuth2 } from '@hookfleet/contract';
import { type Answer, createAuthority, type Receiver, startReceiver } from '@hookfleet/testkit';
import { classify } from '../src/classify.ts';
import { authoritiesOf } from '../src/deliver.ts';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

describe.each(CLIENTS)('with %s', (client) => {
  let receiver: Receiver;
  let tokenServer: Receiver;
  let requests: Requests;
  let tokenAnswer: (nth: number) => Answer;
  let answer: (authorization: string | undefined) => Answer;
  let clockMs: number;

  beforeEach(async () => {
    let issued = 0;
    clockMs = Date.now();
    answer = () => ({ status: 200 });
    tokenAnswer = (nth) => json({ access_token: `token-${nth}`, token_type: 'Bearer', expires_in: 3600 });
    receiver = await startReceiver(({ headers }) => answer(headers.authorization));
    tokenServer = await startReceiver(() => tokenAnswer(++issued));
    requests = await setupRequests({ client, now: () => clockMs });
  });

  afterEach(async () => {
    requests.close();
    await receiver.close();
    await tokenServer.close();
  });

  function json(body: unknown, status = 200): Answer {
    return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  }

  const auth = (changes: Partial<OAuth2> = {}): OAuth2 => ({
    type: 'oauth2',
    tokenUrl: `${tokenServer.url}/token`,
    clientId: 'fleet',
    clientSecret: 'the secret',
    ...changes,
  });

  const send = (changes: Partial<OAuth2> = {}, timeoutMs = 2_000) =>
    requests.send({ url: `${receiver.url}/hook`, auth: auth(changes), timeoutMs });

  const authorizations = () => receiver.ledger.map(({ request }) => request.headers.authorization);

  test('what the token endpoint echoes is told without the client secret', async () => {
    const basic = Buffer.from('fleet:the+secret').toString('base64');
    tokenAnswer = () => json({ error: 'no', got: ['the secret', 'the+secret', basic] }, 400);
    const { answer: got } = await send();
    const detail = got.kind === 'failure' ? got.detail : undefined;
    expect(detail).toContain('["***","***","***"]');
  });

  test('a token is asked for once, and serves every webhook until shortly before it expires', async () => {
    for (let i = 0; i < 3; i += 1) expect(cameBack(await send())).toBe(200);
    expect(authorizations()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-1']);
    clockMs += (3600 - 31) * 1_000;
    await send();
    expect(tokenServer.ledger).toHaveLength(1);
    clockMs += 1_001;
    await send();
    expect(authorizations().slice(3)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  test('webhooks that need a token at the same time wait for one request', async () => {
    tokenAnswer = (nth) =>
      ({ ...(json({ access_token: `token-${nth}` }) as object), delayMs: 100 }) as Answer;
    const sent = await Promise.all(Array.from({ length: 20 }, () => send()));
    expect(sent.map(cameBack)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(tokenServer.ledger).toHaveLength(1);
    expect(new Set(authorizations())).toEqual(new Set(['Bearer token-1']));
  });

  test('the request is as RFC 6749 has it: by Basic with encoded parts, or in the form, with scope and audience', async () => {
    await send({ clientId: 'a:b', clientSecret: 'p ss%', scope: 'hooks write', audience: 'https://api' });
    await send({ clientAuthentication: 'body' });
    const [basic, body] = tokenServer.ledger.map(({ request }) => request);
    expect(basic?.method).toBe('POST');
    expect(basic?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    const [id, secret] = Buffer.from(basic?.headers.authorization?.replace('Basic ', '') ?? '', 'base64')
      .toString()
      .split(':')
      .map((part) => new URLSearchParams(`x=${part}`).get('x'));
    expect([id, secret]).toEqual(['a:b', 'p ss%']);
    expect(Object.fromEntries(new URLSearchParams(basic?.body.toString()))).toEqual({
      grant_type: 'client_credentials',
      scope: 'hooks write',
      audience: 'https://api',
    });
    expect(body?.headers.authorization).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(body?.body.toString()))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'fleet',
      client_secret: 'the secret',
    });
  });

  test('a revoked token is replaced within the attempt: the destination sees two requests, the caller one answer', async () => {
    await send();
    answer = (authorization) => ({ status: authorization === 'Bearer token-1' ? 401 : 200 });
    clockMs += 1;
    const sent = await send();
    expect(cameBack(sent)).toBe(200);
    expect(sent.request.headers['authorization']).toBe('Bearer token-2');
    expect(authorizations()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
    const ids = receiver.ledger.map(({ request }) => request.webhookId);
    expect(new Set(ids).size).toBe(1);
  });

  test('where tokens are revoked while many webhooks are under way, one request replaces them', async () => {
    await send();
    answer = (authorization) => ({ status: authorization === 'Bearer token-1' ? 401 : 200, delayMs: 20 });
    clockMs += 1;
    const sent = await Promise.all(Array.from({ length: 10 }, () => send()));
    expect(sent.map(cameBack)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(tokenServer.ledger).toHaveLength(2);
  });

  test('a destination that refuses fresh tokens too gets its 401, once, and no storm of tokens follows', async () => {
    answer = () => ({ status: 401 });
    expect(cameBack(await send())).toBe(401);
    expect([receiver.ledger.length, tokenServer.ledger.length]).toEqual([1, 1]);
    clockMs += 1;
    expect(cameBack(await send())).toBe(401);
    expect([receiver.ledger.length, tokenServer.ledger.length]).toEqual([3, 2]);
    for (let i = 0; i < 5; i += 1) {
      clockMs += 1;
      await send();
    }
    expect([receiver.ledger.length, tokenServer.ledger.length]).toEqual([8, 2]);
  });

  test('a 401 stands where no other token is to be had', async () => {
    await send();
    answer = () => ({ status: 401 });
    tokenAnswer = () => ({ status: 500 });
    clockMs += 1;
    expect(cameBack(await send())).toBe(401);
  });

  test.each<[string, (nth: number) => Answer, string]>([
    [
      'refuses the client',
      () => json({ error: 'invalid_client' }, 401),
      'answered 401: {"error":"invalid_client"}',
    ],
    ['fails', () => ({ status: 503 }), 'answered 503'],
    ['redirects', () => ({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }), 'answered 302'],
    ['resets', () => 'reset', 'no answer from the token endpoint: the connection was reset'],
    ['answers with HTML', () => ({ status: 200, body: '<html>planted-token</html>' }), 'no JSON object'],
    ['answers with a list', () => json(null), 'no JSON object'],
    ['answers without a token', () => json({ token: 'planted-token' }), 'no access_token'],
    [
      'gives a token that would split the header',
      () => json({ access_token: 'a\r\nx: y' }),
      'no access_token',
    ],
    [
      'gives a token of another type',
      () => json({ access_token: 'planted-token', token_type: 'mac' }),
      'Bearer',
    ],
    [
      'answers without end',
      () => ({ status: 200, endlessBody: `{"access_token":"${'x'.repeat(65_536)}` }),
      'JSON',
    ],
  ])(
    'a token endpoint that %s bounces the webhook as auth, and the destination is not asked',
    async (_, how, detail) => {
      tokenAnswer = how;
      const { answer: got } = await send();
      expect(got).toMatchObject({
        kind: 'failure',
        failure: 'auth',
        detail: expect.stringContaining(detail),
      });
      expect(JSON.stringify(got)).not.toMatch(/planted-token|the secret/);
      expect(classify(got)).toMatchObject({ event: 'webhook.bounced', reason: 'auth', retriable: true });
      expect(receiver.ledger).toHaveLength(0);
    },
  );

  test('a token endpoint that hangs holds the attempt no longer than its deadline', async () => {
    tokenAnswer = () => 'hang';
    const sent = await send({}, 300);
    expect(cameBack(sent)).toBe('auth');
  });

  test('a token endpoint that failed is left alone for a second, and then asked again', async () => {
    tokenAnswer = () => ({ status: 503 });
    await send();
    await send();
    expect(tokenServer.ledger).toHaveLength(1);
    clockMs += 1_001;
    tokenAnswer = () => json({ access_token: 'recovered' });
    expect(cameBack(await send())).toBe(200);
    expect(authorizations()).toEqual(['Bearer recovered']);
  });

  test('a token endpoint that the egress guard forbids is blocked, and nothing is sent there', async () => {
    const strict = await setupRequests({ client, allow: [] });
    const sent = await strict.send({ url: receiver.url, auth: auth() });
    expect(cameBack(sent)).toBe('blocked');
    expect(classify(sent.answer)).toMatchObject({ event: 'webhook.error', retriable: false });
    expect([receiver.ledger.length, tokenServer.ledger.length]).toEqual([0, 0]);
    strict.close();
  });

  test('other credentials have other tokens', async () => {
    await send();
    await send({ clientSecret: 'another' });
    await send({ scope: 'more' });
    expect(authorizations()).toEqual(['Bearer token-1', 'Bearer token-2', 'Bearer token-3']);
  });

  test("a token endpoint is vouched for by the destination's authorities, and by the public ones", async () => {
    const [authority, stranger] = await Promise.all([createAuthority('ours'), createAuthority('a stranger')]);
    const server = await authority.issue('receiver.test');
    const secure = await startReceiver(() => tokenAnswer(1), {
      tls: { cert: server.certificate, key: server.key },
    });
    const tokenUrl = `${secure.url}/token`;
    const sendWith = (ca: string) =>
      requests.send({ url: `${receiver.url}/hook`, auth: auth({ tokenUrl }), tls: { ca } });
    expect(cameBack(await sendWith(stranger.certificate))).toBe('auth');
    expect(cameBack(await sendWith(authority.certificate))).toBe(200);
    expect(authoritiesOf({ ca: 'ours', alsoPublic: true })).toEqual([
      ...getCACertificates('default'),
      'ours',
    ]);
    await secure.close();
  });
});
