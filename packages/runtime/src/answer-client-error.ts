/** What isn't even HTTP, or came too slowly: answered by hand, as problem details (RFC 9457), for no request exists. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { PRIVATE_HEADERS, SECURITY_HEADERS } from './security-headers.ts';

/** For a server's `clientError`. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return void socket.destroy();
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail: status === 400 ? 'The request is no valid HTTP/1.1.' : 'The request was too slow or too large.',
  });
  const headers = {
    connection: 'close',
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    ...SECURITY_HEADERS,
    ...PRIVATE_HEADERS,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n'));
}
