/**
 * Standard Webhooks: the three headers that let a receiver know who sent a webhook, and that it is no old one.
 * Keys are parsed once and remembered by their secret's text: making an ed25519 key takes as long as signing with it.
 */
import { createHmac, createPrivateKey, createSecretKey, sign } from 'node:crypto';
import { ed25519Pkcs8, type SigningSecret } from '@hookfleet/contract';

// Secrets in use at a time; one more only costs the parsing of another.
const SIGNERS_MAX = 1_000;

export interface SignatureInput {
  /** The same for each attempt: receivers drop what they have seen. */
  readonly webhookId: string;
  readonly nowMs: number;
  /** As it is sent. */
  readonly body: string;
  /** Several while a secret is rotated. */
  readonly secrets: readonly SigningSecret[] | undefined;
}

type Signer = (content: string) => string;

const signers = new Map<string, Signer>();

/** The id and the time always; a signature for each secret that has not expired. */
export function signatureHeaders({
  webhookId,
  nowMs,
  body,
  secrets = [],
}: SignatureInput): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const headers = { 'webhook-id': webhookId, 'webhook-timestamp': timestamp };
  const valid = secrets.flatMap((secret) => {
    if (typeof secret === 'string') return secret;
    return Date.parse(secret.expiresAt) > nowMs ? secret.secret : [];
  });
  if (valid.length === 0) return headers;
  const content = `${webhookId}.${timestamp}.${body}`;
  return { ...headers, 'webhook-signature': valid.map((secret) => signerOf(secret)(content)).join(' ') };
}

function signerOf(secret: string): Signer {
  const known = signers.get(secret);
  if (known !== undefined) return known;
  const signer = secret.startsWith('whsk_') ? ed25519Signer(secret) : hmacSigner(secret);
  signers.set(secret, signer);
  if (signers.size > SIGNERS_MAX) signers.delete(signers.keys().next().value as string);
  return signer;
}

function hmacSigner(secret: string): Signer {
  const key = createSecretKey(Buffer.from(secret.slice('whsec_'.length), 'base64'));
  return (content) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
}

function ed25519Signer(secret: string): Signer {
  const key = createPrivateKey({ key: ed25519Pkcs8(secret), format: 'der', type: 'pkcs8' });
  return (content) => `v1a,${sign(null, Buffer.from(content), key).toString('base64')}`;
}
