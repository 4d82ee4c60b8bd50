/**
 * Made of packages/contract by `npx -y pnpm --filter @hookfleet/client types`, and checked: what travels, as types that
 * need no other package.
 */

/**
 * An id chosen by the upstream system: 1 to 128 printable characters without spaces, but for . and
 * .., or a whole number.
 */
export type Identifier = string | number;

export interface FieldError {
  /** Path of the field, as in webhooks[3].destination.url. */
  readonly field: string;
  /** REQUIRED, WRONG_TYPE, INVALID_VALUE, UNKNOWN_FIELD, UNKNOWN_VALUE, TOO_LONG, … */
  readonly type: string;
  readonly detail: string;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string | undefined;
  readonly errors?: readonly FieldError[] | undefined;
}

export interface RetryPolicy {
  /** Wait before the second, third, … attempt, in milliseconds. An empty list: one attempt. */
  readonly delaysMs: readonly number[];
  /** Each delay is spread by up to this share, both ways. */
  readonly jitter?: number | undefined;
  /** No attempt begins later than this after the webhook was due. */
  readonly totalMs?: number | undefined;
}

/**
 * A secret that reads *** is refused: that is what answers show in its place. Basic, bearer and
 * oauth2 are sent as the Authorization header, header as the one that it names. User and password in
 * the URL are sent as basic where auth sets no Authorization.
 */
export type Authentication = {
  readonly type: 'basic';
  readonly username: string;
  readonly password: string;
} | {
  readonly type: 'header';
  readonly name: string;
  readonly value: string;
} | {
  readonly type: 'bearer';
  readonly token: string;
} | {
  readonly type: 'oauth2';
  /** http or https, without user, password or fragment. The egress guard holds for it too. */
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string | undefined;
  readonly audience?: string | undefined;
  /**
   * How clientId and clientSecret reach the token endpoint: as its Authorization header (when absent),
   * or in the form.
   */
  readonly clientAuthentication?: 'basic' | 'body' | undefined;
};

export interface Destination {
  /** http or https, without a fragment. User and password in it are sent as basic authentication. */
  readonly url: string;
  /**
   * POST when absent. GET sends no body: the payload's members are added to the URL's query as a form's
   * are, and a channel's body as the pair body; the signature is that of an empty body. DELETE sends
   * its body as POST does. An inline destination with GET or DELETE needs neither payload nor body, and
   * one with GET takes no body.
   */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE' | undefined;
  /**
   * What a webhook's payload is sent as; application/json when absent. A body has a contentType of its
   * own and is sent as it is. application/x-www-form-urlencoded: an object's members as pairs, one for
   * each item of a list, null as an empty value, objects as JSON; what is no object as the pair
   * payload. text/plain and application/xml: a text as it is. What is no text is JSON: sent as
   * text/plain there, and as application/json where XML was wanted, for there is no XML of it (an
   * inline destination's is refused).
   */
  readonly contentType?: 'application/json' | 'application/x-www-form-urlencoded' | 'text/plain' | 'application/xml' | undefined;
  /**
   * Headers added to each request, each name once in whatever spelling. A content-type replaces the one
   * that a payload is sent with; a body's own stands.
   */
  readonly headers?: { readonly [name: string]: string } | undefined;
  readonly auth?: Authentication | undefined;
  /** For requests to the destination. Those to a token endpoint show no certificate. */
  readonly tls?: {
    /** The client's certificate as PEM, followed by intermediate ones. */
    readonly certificate?: string | undefined;
    /** The certificate's private key as PEM, without a passphrase. Written, never read back. */
    readonly key?: string | undefined;
    /**
     * Authorities, as PEM, that vouch for the destination instead of the public ones, and for its token
     * endpoint beside them.
     */
    readonly ca?: string | undefined;
  } | undefined;
  /**
   * Standard Webhooks secrets: whsec_ and the base64 of 24 to 64 bytes (HMAC-SHA256, signature v1), or
   * whsk_ and the base64 of an ed25519 private key (32 bytes, or 64 with its public key; signature
   * v1a). Each signs, so that a secret can be rotated. Where all have expired, requests are not signed.
   */
  readonly signingSecrets?: readonly (string | {
    readonly secret: string;
    /** From then on it signs no more. */
    readonly expiresAt: string;
  })[] | undefined;
  /** Added to each outcome event as its properties: up to 20 texts, numbers or booleans. */
  readonly eventProperties?: { readonly [name: string]: string | number | boolean } | undefined;
  /** For a whole attempt; 30,000 when absent. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  /**
   * Send the W3C headers traceparent and tracestate with each attempt, where the webhook's trace is
   * sampled: the destination's spans then stand in its caller's trace. False when absent.
   */
  readonly traceContext?: boolean | undefined;
}

export interface Webhook {
  readonly campaignId: Identifier;
  readonly messageId: Identifier;
  readonly channelConfigId?: Identifier | undefined;
  readonly destination?: Destination | undefined;
  /**
   * Any JSON, at most 64 levels deep. Its bytes are sent as they are written, as application/json; or
   * in the form that the destination's contentType or method asks for, numbers with all of their
   * digits.
   */
  readonly payload?: unknown;
  /** Sent as it is, with contentType. */
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  /**
   * Within a campaign, a second webhook with the same key is not enqueued; the answer holds the first
   * one's id.
   */
  readonly idempotencyKey?: string | undefined;
  /** Not sent before this time; at most a year ahead. */
  readonly deliverAt?: string | undefined;
  readonly userId?: Identifier | undefined;
}

export interface CustomEvent {
  readonly campaignId?: Identifier | undefined;
  /**
   * Names the campaign where campaignId is absent. An event with both tells which campaign the
   * reference stands for from then on, also for later events of the same call.
   */
  readonly campaignExternalReferenceId?: string | number | undefined;
  readonly messageId?: Identifier | undefined;
  readonly channelConfigId?: Identifier | undefined;
  /**
   * Names the channel with this externalReferenceId where channelConfigId is absent; channelConfigId
   * counts where both are there.
   */
  readonly channelConfigExternalReferenceId?: string | number | undefined;
  /** Activated by PUT /v1/event-types/{name}. */
  readonly event: string;
  readonly properties?: object | undefined;
  /**
   * Within a campaign and an event, a second one with the same id is not counted, for a week unless
   * HOOKFLEET_RETENTION_EVENT_IDS says otherwise.
   */
  readonly id?: string | undefined;
  /**
   * Now when absent; at most 24 hours ahead. An event from before HOOKFLEET_RETENTION_DAYS counts in
   * the totals and in no series.
   */
  readonly occurredAt?: string | undefined;
}

export interface AttemptStatus {
  readonly attempt: number;
  readonly event: 'webhook.delivered' | 'webhook.bounced' | 'webhook.error';
  readonly reason?: 'http_5xx' | 'dns' | 'connection' | 'tls' | 'timeout' | 'auth' | 'http_4xx' | 'gone' | 'redirect' | 'blocked' | 'unsendable' | undefined;
  /** Without an answer: what exactly went wrong. Of reason auth, with the token endpoint. */
  readonly cause?: 'name_not_found' | 'name_server_failed' | 'name_timeout' | 'connect_timeout' | 'refused' | 'unreachable' | 'reset' | 'closed_early' | 'connection_failed' | 'worker_resources' | 'proxy_failed' | 'not_tls' | 'tls_version' | 'tls_refused' | 'tls_handshake' | 'tls_timeout' | 'certificate_expired' | 'certificate_not_yet_valid' | 'certificate_name' | 'certificate_authority' | 'certificate_invalid' | 'client_certificate' | 'malformed_response' | 'response_timeout' | 'address_blocked' | 'proxy_blocked' | undefined;
  /** The cause in words. */
  readonly detail?: string | undefined;
  readonly statusCode?: number | undefined;
  readonly durationMs: number;
  readonly occurredAt: string;
  readonly workerId: string;
  readonly final: boolean;
  readonly responseBody?: string | undefined;
  /**
   * Milliseconds: name look-up, TCP connect, TLS handshake, from the request to the first byte of the
   * answer, and all in all. Phases that did not occur are absent, as on a connection that is used
   * again. Through a proxy, all up to its connection is connect.
   */
  readonly timingsMs: {
    readonly dns?: number | undefined;
    readonly connect?: number | undefined;
    readonly tls?: number | undefined;
    readonly firstByte?: number | undefined;
    readonly total: number;
  };
}

export interface WebhookStatus {
  readonly id: string;
  readonly campaignId: string;
  readonly messageId: string;
  readonly channelConfigId?: string | undefined;
  readonly state: 'scheduled' | 'pending' | 'retrying' | 'delivered' | 'failed' | 'cancelled';
  readonly acceptedAt: string;
  readonly deliverAt?: string | undefined;
  readonly nextAttemptAt?: string | undefined;
  /** The batch that it was sent in: its attempts are the batch's. */
  readonly batchId?: string | undefined;
  /** Of a batch. */
  readonly recipients?: number | undefined;
  readonly attempts: readonly AttemptStatus[];
}
