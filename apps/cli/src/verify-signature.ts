/**
 * Standard Webhooks from the receiver's side: is a request signed by who shares the secret, and is it new? Pure.
 * whsec_ verifies v1 (HMAC-SHA256); whpk_, or the sender's own whsk_, verifies v1a (ed25519).
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { ed25519Pkcs8 } from '@hookfleet/contract/key-material';

export interface SignedRequest {
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
  /** As it was received. */
  readonly body: Buffer;
}

export type Verdict =
  | { readonly verified: true; readonly scheme: 'v1' | 'v1a' }
  | { readonly verified: false; readonly why: string };

/** Throws a TypeError for a secret that is none. */
export type Verifier = (request: SignedRequest, nowMs: number) => Verdict;

// Standard Webhooks' libraries take requests that are five minutes old, or early.
const TOLERANCE_MS = 5 * 60_000;
/** SPKI around an ed25519 public key of 32 bytes (RFC 8410, section 4). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

type Check = {
  readonly scheme: 'v1' | 'v1a';
  readonly fits: (content: Buffer, signature: Buffer) => boolean;
};

export function createVerifier(secrets: readonly string[]): Verifier {
  const checks = secrets.map(checkOf);
  return ({ id, timestamp, signature, body }, nowMs) => {
    if (id === undefined || timestamp === undefined || signature === undefined) {
      const missing = Object.entries({ id, timestamp, signature }).filter(([, value]) => value === undefined);
      return { verified: false, why: `without ${missing.map(([name]) => `webhook-${name}`).join(', ')}` };
    }
    const ageMs = nowMs - Number(timestamp) * 1_000;
    if (!/^\d+$/.test(timestamp) || Math.abs(ageMs) > TOLERANCE_MS)
      return { verified: false, why: `webhook-timestamp ${timestamp} is not within five minutes of now` };
    const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
    for (const entry of signature.split(' ')) {
      const [scheme, encoded = ''] = entry.split(',');
      const given = Buffer.from(encoded, 'base64');
      const fitting = checks.find((check) => check.scheme === scheme && check.fits(content, given));
      if (fitting !== undefined) return { verified: true, scheme: fitting.scheme };
    }
    return { verified: false, why: 'no signature is by a secret that was given' };
  };
}

function checkOf(secret: string): Check {
  const [, prefix, encoded = ''] = /^(whsec|whpk|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(encoded, 'base64');
  if (prefix === 'whsec') {
    return {
      scheme: 'v1',
      fits(content, signature) {
        const expected = createHmac('sha256', bytes).update(content).digest();
        return signature.length === expected.length && timingSafeEqual(signature, expected);
      },
    };
  }
  const key = prefix === undefined ? undefined : ed25519Key(prefix, secret, bytes);
  if (key === undefined)
    throw new TypeError('a secret is whsec_, whpk_ (32 bytes) or whsk_ (32 or 64 bytes), and base64');
  return { scheme: 'v1a', fits: (content, signature) => verify(null, content, key, signature) };
}

function ed25519Key(prefix: string, secret: string, bytes: Buffer): KeyObject | undefined {
  if (prefix === 'whpk' && bytes.length === 32)
    return createPublicKey({ key: Buffer.concat([ED25519_SPKI, bytes]), format: 'der', type: 'spki' });
  if (prefix !== 'whsk' || (bytes.length !== 32 && bytes.length !== 64)) return undefined;
  return createPublicKey(createPrivateKey({ key: ed25519Pkcs8(secret), format: 'der', type: 'pkcs8' }));
}
