/** Where the time of an attempt went. A phase that did not occur is absent: a connection that is used again has no look-up, connect and TLS. */
import { type Static, Type } from 'typebox';

const Phase = Type.Optional(Type.Number({ minimum: 0 }));

export const TimingsMs = Type.Object(
  {
    dns: Phase,
    connect: Phase,
    tls: Phase,
    firstByte: Phase,
    total: Type.Number({ minimum: 0 }),
  },
  {
    description:
      'Milliseconds: name look-up, TCP connect, TLS handshake, from the request to the first byte of the answer, and all in all. Phases that did not occur are absent, as on a connection that is used again. Through a proxy, all up to its connection is connect.',
  },
);

export type TimingsMs = Static<typeof TimingsMs>;
export type PhasesMs = Omit<TimingsMs, 'total'>;
