/**
 * An HTTP client's error, or Node's, as the cause and the reason of a failed attempt. Pure. Both clients tell the same
 * fault the same way: by codes and names, and by OpenSSL's own form of an error, never by a client's words.
 */
import type { AttemptCause, CauseCode } from '@hookfleet/contract';
import type { AttemptFailure } from './classify.ts';

/** What an error tells, and the errors below it. */
export interface FailureCause {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  /** Of an error that the system reported: a reset, for one. */
  readonly syscall?: string;
  readonly cause?: FailureCause;
  /** Of a name's addresses, when none could be connected to. */
  readonly errors?: readonly FailureCause[];
  /** Of a proxy's answer to CONNECT, and of its silence. */
  readonly statusCode?: number;
  readonly proxyTunnelTimeout?: number;
  /** Of EgressBlockedError. */
  readonly address?: string;
}

/** What an attempt was waiting for. */
export type AttemptPhase = 'name' | 'connect' | 'tls' | 'response';

export interface FailedAttempt {
  readonly failure: AttemptFailure;
  readonly cause: AttemptCause;
}

const TIMEOUTS = {
  name: 'name_timeout',
  connect: 'connect_timeout',
  tls: 'tls_timeout',
  response: 'response_timeout',
} as const satisfies Record<AttemptPhase, CauseCode>;

const REASONS: Readonly<Record<CauseCode, AttemptFailure>> = {
  name_not_found: 'dns',
  name_server_failed: 'dns',
  name_timeout: 'timeout',
  connect_timeout: 'timeout',
  tls_timeout: 'timeout',
  response_timeout: 'timeout',
  refused: 'connection',
  unreachable: 'connection',
  reset: 'connection',
  closed_early: 'connection',
  connection_failed: 'connection',
  worker_resources: 'connection',
  proxy_failed: 'connection',
  malformed_response: 'connection',
  not_tls: 'tls',
  tls_version: 'tls',
  tls_refused: 'tls',
  tls_handshake: 'tls',
  certificate_expired: 'tls',
  certificate_not_yet_valid: 'tls',
  certificate_name: 'tls',
  certificate_authority: 'tls',
  certificate_invalid: 'tls',
  client_certificate: 'tls',
  address_blocked: 'blocked',
  proxy_blocked: 'blocked',
};

/** The answer's head, or an interim answer, has no end: our own word for it. */
export const ENDLESS_ANSWER = { code: 'ERR_ENDLESS_ANSWER' } as const satisfies FailureCause;

// The first pattern that fits counts. OpenSSL's codes, Node's (libuv's and llhttp's), and undici's.
const PATTERNS: readonly (readonly [RegExp, CauseCode])[] = [
  [/^(?:ENOTFOUND|ENODATA|ENONAME|EBADNAME|EAI_NONAME|EAI_NODATA)$/, 'name_not_found'],
  // EAI_AGAIN: the resolver itself is in trouble.
  [/^(?:EAI_|ESERVFAIL|EREFUSED)/, 'name_server_failed'],
  [/^CERT_HAS_EXPIRED$/, 'certificate_expired'],
  [/^CERT_NOT_YET_VALID$/, 'certificate_not_yet_valid'],
  [/^(?:ERR_TLS_CERT_ALTNAME_|HOSTNAME_MISMATCH$)/, 'certificate_name'],
  [
    /^(?:UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE$|SELF_SIGNED_CERT_IN_CHAIN$|DEPTH_ZERO_SELF_SIGNED_CERT$|CERT_UNTRUSTED$|INVALID_CA$)/,
    'certificate_authority',
  ],
  [
    /^(?:CERT_|UNABLE_TO_|PATH_LENGTH_|INVALID_PURPOSE|UNSUPPORTED_CERTIFICATE|SELF_SIGNED_|DEPTH_ZERO_)/,
    'certificate_invalid',
  ],
  // Alerts that the other side sends about our certificate.
  [
    /^ERR_SSL_[\w/]*ALERT_(?:CERTIFICATE_|BAD_CERTIFICATE|UNKNOWN_CA|NO_CERTIFICATE|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/,
    'client_certificate',
  ],
  [
    /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE)$/,
    'not_tls',
  ],
  [
    /^ERR_SSL_(?:[\w/]*ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|WRONG_SSL_VERSION|UNKNOWN_PROTOCOL)$/,
    'tls_version',
  ],
  [/^ERR_SSL_[\w/]*ALERT_(?:HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)$/, 'tls_refused'],
  [/^(?:ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO)/, 'tls_handshake'],
  [/^ECONNREFUSED$/, 'refused'],
  [/^(?:EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EACCES|EPERM)$/, 'unreachable'],
  [/^(?:EADDRNOTAVAIL|EMFILE|ENFILE|ENOBUFS|ENOMEM)$/, 'worker_resources'],
  // The end of the connection in the midst of an answer is no fault of the answer's form.
  [/^(?:EPIPE|UND_ERR_SOCKET|HPE_INVALID_EOF_STATE)$/, 'closed_early'],
  [
    /^(?:HPE_|ERR_ENDLESS_ANSWER$|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RESPONSE|UND_ERR_RES_)/,
    'malformed_response',
  ],
];

// An error of a handshake that came to light in a write has the code EPROTO and OpenSSL's text; in a read, Node has made a
// code of that text. Which of the two it is, is chance.
const OPENSSL_TEXT = /:error:[\dA-F]{8}:SSL routines:[^:]*:([^:]+):/;

// Node's and undici's.
const TIMEOUT_CODES = /^(?:ETIMEDOUT|ESOCKETTIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

/** `phase`: what the attempt was waiting for when the error came. */
export function failedBy(error: FailureCause, phase: AttemptPhase): FailedAttempt {
  const cause = causeOf(error, phase) ?? { code: 'connection_failed' };
  return { failure: REASONS[cause.code], cause };
}

/** A client wraps what it was told: the error at the bottom says most. */
function causeOf(error: FailureCause, phase: AttemptPhase): AttemptCause | undefined {
  const below = error.cause === undefined ? undefined : causeOf(error.cause, phase);
  if (below !== undefined) return below;
  const { errors = [], address } = error;
  const code = errors.length === 0 ? codeOf(error, phase) : codeOfMany(errors, phase);
  if (code === undefined) return undefined;
  return code === 'address_blocked' ? { code, address } : { code };
}

/** Of a name's addresses: a host without IPv6 has no route to the first of them, which says nothing of the destination. */
function codeOfMany(errors: readonly FailureCause[], phase: AttemptPhase): CauseCode | undefined {
  const codes = errors.map((error) => codeOf(error, phase));
  return codes.find((code) => code !== undefined && code !== 'unreachable') ?? codes[0];
}

function codeOf(error: FailureCause, phase: AttemptPhase): CauseCode | undefined {
  const { name, syscall, statusCode, proxyTunnelTimeout } = error;
  const code = error.code === 'EPROTO' ? sslCodeOf(error) : (error.code ?? '');
  if (code === 'ERR_EGRESS_BLOCKED') return 'address_blocked';
  // A filtering proxy that forbids the destination answers CONNECT with 403.
  if (code === 'ERR_PROXY_TUNNEL') {
    if (proxyTunnelTimeout !== undefined) return 'connect_timeout';
    return statusCode === 403 ? 'proxy_blocked' : 'proxy_failed';
  }
  if (proxyTunnelTimeout !== undefined || name === 'TimeoutError' || TIMEOUT_CODES.test(code))
    return TIMEOUTS[phase];
  // Node's "socket hang up" is the other side's orderly end; what the system reports is a reset.
  if (code === 'ECONNRESET') return syscall === undefined ? 'closed_early' : 'reset';
  const known = PATTERNS.find(([pattern]) => pattern.test(code))?.[1];
  // undici doesn't always give its parser's code.
  return known ?? (name === 'HTTPParserError' ? 'malformed_response' : undefined);
}

/** As Node makes it of OpenSSL's text. */
function sslCodeOf({ message = '' }: FailureCause): string {
  const reason = OPENSSL_TEXT.exec(message)?.[1];
  return reason === undefined ? 'EPROTO' : `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`;
}
