/** TLS of a destination's own: a client certificate that it asks for (mutual TLS), and who vouches for its own. */
import { type Static, Type } from 'typebox';

const PEM_LENGTH_MAX = 65_536;

export const Tls = Type.Object(
  {
    certificate: Type.Optional(
      Type.String({
        maxLength: PEM_LENGTH_MAX,
        format: 'pem-certificates',
        description: "The client's certificate as PEM, followed by intermediate ones.",
      }),
    ),
    key: Type.Optional(
      Type.String({
        maxLength: PEM_LENGTH_MAX,
        format: 'pem-private-key',
        description: "The certificate's private key as PEM, without a passphrase. Written, never read back.",
      }),
    ),
    ca: Type.Optional(
      Type.String({
        maxLength: PEM_LENGTH_MAX,
        format: 'pem-certificates',
        description:
          'Authorities, as PEM, that vouch for the destination instead of the public ones, and for its token endpoint beside them.',
      }),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    dependentRequired: { certificate: ['key'], key: ['certificate'] },
    keyOfCertificate: true,
    description: 'For requests to the destination. Those to a token endpoint show no certificate.',
  },
);

export type Tls = Static<typeof Tls>;
