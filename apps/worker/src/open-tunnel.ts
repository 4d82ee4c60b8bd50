/**
 * A tunnel through an HTTP proxy (CONNECT, RFC 9110, 9.3.6), on a connection of its own. A proxy's refusal is an error
 * that tells its status as Node's own agents do: ERR_PROXY_TUNNEL and statusCode.
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { decoded } from './request-webhook.ts';

export type OnTunnel = (error: Error | null, socket: Socket | null) => void;

/**
 * `target`: host and port. Calls back once; what is returned gives the tunnel up while it is being made, and calls back
 * with the error that it is given.
 */
export function openTunnel(
  proxy: URL,
  target: string,
  timeoutMs: number,
  onTunnel: OnTunnel,
): (error: Error) => void {
  const authorization = proxyAuthorization(proxy);
  const request = (proxy.protocol === 'https:' ? https : http).request(proxy, {
    auth: null,
    agent: false,
    method: 'CONNECT',
    path: target,
    headers: {
      host: target,
      ...(authorization !== undefined && { 'proxy-authorization': authorization }),
    },
  });
  const timer = setTimeout(() => request.destroy(tunnelError('ETIMEDOUT')), timeoutMs);
  request.once('close', () => clearTimeout(timer));
  request.once('connect', ({ statusCode }, socket: Socket) => {
    clearTimeout(timer);
    if (statusCode === 200) return onTunnel(null, socket);
    socket.on('error', () => undefined).destroy();
    onTunnel(tunnelError('ERR_PROXY_TUNNEL', statusCode), null);
  });
  request.once('error', (error) => onTunnel(error, null));
  request.end();
  return (error) => request.destroy(error);
}

/** What the proxy's URL says of who asks. */
export function proxyAuthorization({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

function tunnelError(code: string, statusCode?: number): Error {
  return Object.assign(new Error('the proxy made no tunnel'), { code, statusCode });
}
