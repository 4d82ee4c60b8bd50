/**
 * What exactly went wrong in an attempt that got no answer: a closed list of codes, finer than the outcome's reason. The
 * reason is what is counted and filtered by; the cause is what somebody needs to fix it. The words name no destination,
 * for the same fault may be a token endpoint's or a proxy's.
 */
export const CAUSE_WORDS = {
  name_not_found: 'the name has no address',
  name_server_failed: 'the name servers could not answer',
  name_timeout: 'the name servers did not answer in time',
  connect_timeout: 'no connection in time: a firewall may drop it, or the address is wrong',
  refused: 'connection refused: nothing listens on that port, or a firewall rejects it',
  unreachable: 'no route to the address',
  reset: 'the connection was reset before an answer',
  closed_early: 'the connection was closed before an answer',
  connection_failed: 'the connection failed',
  worker_resources: 'the worker has no free port, file descriptor or memory for a connection',
  proxy_failed: 'the egress proxy made no connection',
  not_tls: 'the port does not speak TLS: it may be one for plain HTTP',
  tls_version: 'no TLS version in common',
  tls_refused: 'the TLS handshake was refused: no cipher in common, or a client certificate is missing',
  tls_handshake: 'the TLS handshake failed',
  tls_timeout: 'the TLS handshake took too long',
  certificate_expired: 'the certificate has expired',
  certificate_not_yet_valid: 'the certificate is not valid yet',
  certificate_name: 'the certificate is for another name',
  certificate_authority:
    'the certificate is from an unknown authority, or the server does not send the certificates between them',
  certificate_invalid: 'the certificate is not acceptable',
  client_certificate: 'the client certificate was refused, or is missing',
  malformed_response: 'the answer is not valid HTTP',
  response_timeout: 'no answer in time',
  address_blocked: 'the address is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)',
  proxy_blocked: 'the egress proxy forbids the destination',
} as const;

export type CauseCode = keyof typeof CAUSE_WORDS;

export const CAUSE_CODES = Object.keys(CAUSE_WORDS) as readonly CauseCode[];

export interface AttemptCause {
  readonly code: CauseCode;
  /** The address that the egress policy refused. */
  readonly address?: string | undefined;
}

/** As the API tells it: `cause` for programs, `detail` for people. */
export interface CauseView {
  readonly cause: CauseCode;
  readonly detail: string;
}

export function causeView({ code, address }: AttemptCause): CauseView {
  // A newer worker may have logged a code that is not known here.
  const words: string = CAUSE_WORDS[code] ?? code;
  return {
    cause: code,
    detail: address === undefined ? words : words.replace('the address', `address ${address}`),
  };
}
