/**
 * The face of the HTTP clients: what an attempt asks for, what it gets, and the limits that hold whichever client makes
 * it. deliver-with-got.ts and deliver-with-undici.ts make the requests; open-http-client.ts chooses between them.
 *
 * Common to both: one request, no retries or redirects of its own, HTTP/1.1. Never throws for what a destination does;
 * the answer says what came back, or why nothing did, and where the time went. The status decides, once its line is
 * there: headers or a body that are slow, endless or broken change nothing any more, and close the connection
 * (answer-head.ts).
 * What is small enough is read to its end, so that the connection can be used again. Whatever a destination does, the
 * deadline for the whole ends it: interim responses (1xx) without end too.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { getCACertificates } from 'node:tls';
import type { AttemptCause, Destination, PhasesMs, Tls } from '@hookfleet/contract';
import type { AttemptFailure } from './classify.ts';

// A body beyond this is cut off together with its connection: a new connection is cheaper than reading on. Counted as
// it comes, before decompression.
export const BODY_BYTES_MAX = 64 * 1024;
// Four times Node's default: some gateways set cookies of 20 KB. Set, so that no flag of the process moves it. It bounds
// the number of headers too.
export const HEADER_BYTES_MAX = 64 * 1024;
// An answer beyond this is cut off with its connection, however small its body is: undici has no limit for chunk
// extensions.
export const ANSWER_BYTES_MAX = 8 * BODY_BYTES_MAX;
// Phases within the whole deadline: a destination that doesn't even connect shouldn't hold a slot for all of it.
export const LOOKUP_TIMEOUT_MS = 5_000;
export const CONNECT_TIMEOUT_MS = 10_000;
// How long a connection is kept while nothing is sent. Longer than most servers' 5 s would only find it closed; a
// server's own Keep-Alive hint is heeded where it is shorter.
export const IDLE_CONNECTION_MS = 4_000;
// A name that moves to another address is followed within this, however busy its connections are. A handshake a minute and
// connection costs nothing beside what goes over it.
export const CONNECTION_AGE_MAX_MS = 60_000;

/** `alsoPublic`: authorities of its own beside the public ones, and not in their place. */
export type RequestTls = Tls & { readonly alsoPublic?: boolean };

/** As Node.js takes them; undefined for the public ones. */
export function authoritiesOf({ ca, alsoPublic = false }: RequestTls): string | string[] | undefined {
  return ca !== undefined && alsoPublic ? [...getCACertificates('default'), ca] : ca;
}

export interface AttemptRequest {
  /** Without user and password: they stand in the headers. */
  readonly url: string;
  readonly method: NonNullable<Destination['method']>;
  readonly headers: Readonly<Record<string, string>>;
  /** Not sent with GET. */
  readonly body: string;
  /** For name look-up, connecting, sending, headers and body together. */
  readonly timeoutMs: number;
  readonly tls?: RequestTls | undefined;
}

export type Answer = (
  | {
      readonly kind: 'response';
      readonly statusCode: number;
      /** As node:http gives them. */
      readonly headers: IncomingHttpHeaders;
      /** As it came, cut at 64 KiB. */
      readonly rawBody: Buffer;
    }
  | {
      readonly kind: 'failure';
      readonly failure: AttemptFailure;
      /** Of `auth`: why the token endpoint gave no answer, if it gave none. Absent for what is never sent. */
      readonly cause?: AttemptCause;
      readonly detail?: string;
    }
) & { readonly phases: PhasesMs };

export type Deliver = (request: AttemptRequest) => Promise<Answer>;
