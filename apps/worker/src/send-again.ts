/**
 * A connection that was kept may be closed by the destination in the moment in which it is used again: the request is
 * sent into the void, and fails though nothing is wrong with anybody. Measured on loopback: half of all requests where
 * a server closes after each answer without saying so, and up to 4 of 10 where its idle time-out is our pause.
 * (Servers that announce their time-out, and those that keep connections longer than we do, never get there.)
 *
 * So such a request is sent once more, on a new connection, within the same deadline: it is one attempt, as a request
 * with a stale token is (request-webhook.ts). Should the destination have taken the first, it sees the same webhook-id
 * twice, as it would after a retry. Only an orderly end before any byte of an answer counts: a reset is an answer of
 * its own kind.
 */
import type { Answer, AttemptRequest, Deliver } from './deliver.ts';
import type { FailureCause } from './failure-cause.ts';

/** One request on the wire. */
export type Send = (request: AttemptRequest, connection: 'kept' | 'new') => Promise<SentAnswer>;

export interface SentAnswer {
  readonly answer: Answer;
  /** The connection had been used before, and ended before any answer. */
  readonly closedOnReuse: boolean;
}

// With less of the deadline left, a second request could only time out.
const LEFT_MIN_MS = 50;

export function sendAgainWhereClosed(send: Send): Deliver {
  return async (request) => {
    const startedAt = performance.now();
    const first = await send(request, 'kept');
    const timeoutMs = Math.floor(request.timeoutMs - (performance.now() - startedAt));
    if (!first.closedOnReuse || timeoutMs < LEFT_MIN_MS) return first.answer;
    return (await send({ ...request, timeoutMs }, 'new')).answer;
  };
}

/**
 * Node's "socket hang up" and undici's socket error are their words for the other side's end; EPIPE is a write after
 * that.
 */
export function isOrderlyEnd(error: FailureCause): boolean {
  for (let cause: FailureCause | undefined = error; cause !== undefined; cause = cause.cause) {
    if (cause.code === 'EPIPE') return true;
    if (cause.syscall !== undefined) return false;
    if (cause.code === 'UND_ERR_SOCKET') return true;
    if (cause.code === 'ECONNRESET' && cause.cause === undefined) return true;
  }
  return false;
}
