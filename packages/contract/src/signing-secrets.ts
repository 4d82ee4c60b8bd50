/**
 * Secrets that sign a webhook as Standard Webhooks has it: whsec_ for HMAC-SHA256, whsk_ for ed25519. Several while one
 * is replaced: each signs, until it expires.
 */
import { type Static, Type } from 'typebox';

const Secret = Type.String({ format: 'signing-secret' });

export const SigningSecret = Type.Union([
  Secret,
  Type.Object(
    {
      secret: Secret,
      expiresAt: Type.String({ format: 'date-time', description: 'From then on it signs no more.' }),
    },
    { additionalProperties: false },
  ),
]);

export const SigningSecrets = Type.Array(SigningSecret, {
  minItems: 1,
  maxItems: 4,
  description:
    'Standard Webhooks secrets: whsec_ and the base64 of 24 to 64 bytes (HMAC-SHA256, signature v1), or whsk_ and the base64 of an ed25519 private key (32 bytes, or 64 with its public key; signature v1a). Each signs, so that a secret can be rotated. Where all have expired, requests are not signed.',
});

export type SigningSecret = Static<typeof SigningSecret>;
