/** What each method sends, and that the signature is that of what was sent. Takes under a second. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ReceivedRequest, type Receiver, startReceiver } from '@hookfleet/testkit';
import { Webhook } from 'standardwebhooks';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

const SECRET = `whsec_${Buffer.alloc(32, 's').toString('base64')}`;

describe.each(CLIENTS)('with %s', (client) => {
  let receiver: Receiver;
  let requests: Requests;

  beforeAll(async () => {
    receiver = await startReceiver();
    requests = await setupRequests({ client });
  });

  afterAll(async () => {
    requests.close();
    await receiver.close();
  });

  async function sent(
    path: string,
    method: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE',
    body: string,
  ): Promise<ReceivedRequest | undefined> {
    const destination = { url: `${receiver.url}${path}`, method, signingSecrets: [SECRET] };
    expect(cameBack(await requests.send(destination, { body }))).toBe(200);
    return receiver.ledger.at(-1)?.request;
  }

  /** Throws where the signature is wrong. standardwebhooks reads a body as JSON, which an empty one is not. */
  function verify(request: ReceivedRequest | undefined, body: string): void {
    try {
      new Webhook(SECRET).verify(body, request?.headers as Record<string, string>);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'] as const)(
    '%s sends the body, and its signature',
    async (method) => {
      const request = await sent('/hook', method, '{"a":1}');
      expect(request).toMatchObject({ method, headers: { 'content-type': 'application/json' } });
      expect(request?.body.toString()).toBe('{"a":1}');
      verify(request, '{"a":1}');
    },
  );

  test("GET sends no body: the payload is in the query, behind the URL's own, and the empty body is signed", async () => {
    const request = await sent('/hook?b=2', 'GET', '{"a":"ż &","c":[1,2]}');
    expect(request?.method).toBe('GET');
    expect([...new URL(request?.path ?? '', receiver.url).searchParams]).toEqual([
      ['b', '2'],
      ['a', 'ż &'],
      ['c', '1'],
      ['c', '2'],
    ]);
    expect(request?.body).toHaveLength(0);
    for (const header of ['content-type', 'content-length', 'transfer-encoding'])
      expect(request?.headers).not.toHaveProperty(header);
    verify(request, '');
  });

  test("a payload is named as the destination's content-type names it, and a body as its own does", async () => {
    const destination = { url: receiver.url, headers: { 'Content-Type': 'application/vnd.acme+json' } };
    const named = async (
      webhook: { body: string; contentType?: string },
      method: 'POST' | 'GET' = 'POST',
    ) => {
      expect(cameBack(await requests.send({ ...destination, method }, webhook))).toBe(200);
      return receiver.ledger.at(-1)?.request.headers['content-type'];
    };
    expect(await named({ body: '{"a":1}' })).toBe('application/vnd.acme+json');
    expect(await named({ body: '<a/>', contentType: 'text/xml' })).toBe('text/xml');
    expect(await named({ body: '{"a":1}' }, 'GET')).toBeUndefined();
  });

  test.each(['GET', 'DELETE'] as const)(
    '%s with neither payload nor body is sent with nothing',
    async (method) => {
      const request = await sent('/hook?b=2', method, '');
      expect(request).toMatchObject({ method, path: '/hook?b=2' });
      expect(request?.body).toHaveLength(0);
      expect(request?.headers).not.toHaveProperty('content-type');
      verify(request, '');
    },
  );
});
