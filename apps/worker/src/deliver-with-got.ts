/** Attempts made with got: what deliver.ts promises, on the keep-alive agents of got-agents.ts. */
import type { ClientRequest } from 'node:http';
import { isIP } from 'node:net';
import type { PhasesMs, Tls } from '@hookfleet/contract';
import got, { type Response } from 'got';
import {
  type Answer,
  BODY_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  type Deliver,
  type FailureCause,
  failureOf,
  HEADER_BYTES_MAX,
  LOOKUP_TIMEOUT_MS,
} from './deliver.ts';
import type { GotAgents } from './got-agents.ts';

export function createDeliverWithGot(agents: GotAgents): Deliver {
  const client = got.extend({
    agent: agents.direct,
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    maxHeaderSize: HEADER_BYTES_MAX,
  });

  return ({ url, method, headers, body, timeoutMs, tls }) => {
    const proxied = agents.proxied(url);
    if (proxied === 'blocked') return Promise.resolve({ kind: 'failure', failure: 'blocked', phases: {} });
    const { promise, resolve } = Promise.withResolvers<Answer>();
    let request: ClientRequest | undefined;
    let response: Response | undefined;
    const chunks: Buffer[] = [];
    let length = 0;

    const stream = client.stream(url, {
      method,
      headers,
      ...(method !== 'GET' && { body }),
      ...(proxied !== undefined && { agent: proxied }),
      // Each identity has connections of its own: Node's agents name them by it.
      ...(tls !== undefined && { https: toHttpsOptions(tls) }),
      timeout: {
        lookup: Math.min(LOOKUP_TIMEOUT_MS, timeoutMs),
        connect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        secureConnect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        request: timeoutMs,
      },
    });
    const phases = () => toPhases(url, request, stream.timings, proxied !== undefined);

    const end = () => {
      if (response === undefined) return;
      const { statusCode, headers: received } = response;
      resolve({
        kind: 'response',
        statusCode,
        headers: received,
        rawBody: Buffer.concat(chunks),
        phases: phases(),
      });
    };
    stream.once('request', (made: ClientRequest) => {
      request = made;
    });
    stream.once('response', (received: Response) => {
      response = received;
    });
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        end();
        stream.destroy();
      }
    });
    stream.once('end', end);
    stream.once('close', end);
    // While a proxy makes its tunnel, Node's request has no socket yet, and can't be ended: the tunnel has four seconds
    // (the agent's), the attempt may have less.
    if (proxied !== undefined) {
      const timer = setTimeout(() => {
        if (response === undefined) resolve({ kind: 'failure', failure: 'timeout', phases: {} });
        stream.destroy();
      }, timeoutMs);
      void promise.then(() => clearTimeout(timer));
    }
    stream.on('error', (error: Error) => {
      if (response === undefined)
        resolve({ kind: 'failure', failure: failureOf(error as FailureCause), phases: phases() });
      else end();
    });
    return promise;
  };
}

function toHttpsOptions({ certificate, key, ca }: Tls) {
  return {
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { certificateAuthority: ca }),
  };
}

/** Phases that did not occur are absent: a connection that is used again was neither looked up nor made. */
function toPhases(
  url: string,
  request: ClientRequest | undefined,
  measured: Response['timings'] | undefined,
  isProxied: boolean,
): PhasesMs {
  if (request === undefined || measured === undefined) return {};
  const { phases, connect, lookup } = measured;
  const firstByte = phases.firstByte === undefined ? {} : { firstByte: phases.firstByte };
  if (request.reusedSocket || connect === undefined) {
    const dns = lookup !== undefined && !request.reusedSocket ? phases.dns : undefined;
    return { ...(dns !== undefined && { dns }), ...firstByte };
  }
  // A proxy's tunnel comes with everything in it: look-up, connections and handshakes are one phase.
  if (isProxied) return { connect: (phases.wait ?? 0) + (phases.dns ?? 0) + (phases.tcp ?? 0), ...firstByte };
  const isLiteral = isIP(new URL(url).hostname.replace(/^\[|\]$/g, '')) !== 0;
  return {
    ...(!isLiteral && phases.dns !== undefined && { dns: phases.dns }),
    ...(phases.tcp !== undefined && { connect: phases.tcp }),
    ...(phases.tls !== undefined && { tls: phases.tls }),
    ...firstByte,
  };
}
