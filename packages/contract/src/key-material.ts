/**
 * Are these keys and certificates what they should be? Asked at the edge, so that a slip of the clipboard is a refusal
 * now and no failure at three in the morning. Pure, but for answers that are remembered: a bundle is checked once more
 * where it arrives, and parsing keys is slow (100 µs).
 */
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { areSmallCertificates, isSmallPrivateKey } from './key-sizes.ts';

// Each on lines of its own: OpenSSL reads no others.
const PEM_CERTIFICATE = /^-----BEGIN CERTIFICATE-----\s[^-]+\s-----END CERTIFICATE-----[\t ]*$/gm;
const ANSWERS_MAX = 1_000;
/** PKCS #8 around an ed25519 seed of 32 bytes (RFC 8410, section 7). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** One certificate or more, and nothing but them. */
export const isPemCertificates = remembered((text) => {
  const certificates = text.match(PEM_CERTIFICATE) ?? [];
  if (certificates.length === 0 || text.replace(PEM_CERTIFICATE, '').trim() !== '') return false;
  if (!areSmallCertificates(text)) return false;
  for (const certificate of certificates) new X509Certificate(certificate);
  return true;
});

/** Without a passphrase: there is nobody to ask for it. */
export const isPemPrivateKey = remembered(
  (text) => isSmallPrivateKey(text) && createPrivateKey(text).type === 'private',
);

/** The first certificate is the client's own; those behind it lead to its authority. */
export function isKeyOfCertificate(key: string, certificates: string): boolean {
  return pairIsRight(`${key}\0${certificates}`);
}

const pairIsRight = remembered((pair) => {
  const [key = '', certificates = ''] = pair.split('\0');
  return new X509Certificate(certificates).checkPrivateKey(createPrivateKey(key));
});

/** whsec_ and 24 to 64 random bytes; whsk_ and an ed25519 private key, alone or with its public key behind it. */
export function isSigningSecret(text: string): boolean {
  const [, prefix, encoded = ''] = /^(whsec|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const bytes = Buffer.from(encoded, 'base64').length;
  if (prefix === 'whsec') return bytes >= 24 && bytes <= 64;
  return prefix === 'whsk' && (bytes === 32 || (bytes === 64 && isEd25519Pair(encoded)));
}

/** PKCS #8 of a whsk_ secret: the seed decides, what follows it is its public key. */
export function ed25519Pkcs8(secret: string): Buffer {
  const seed = Buffer.from(secret.slice('whsk_'.length), 'base64').subarray(0, 32);
  return Buffer.concat([ED25519_PKCS8, seed]);
}

const isEd25519Pair = remembered((encoded) => {
  const key = createPrivateKey({ key: ed25519Pkcs8(`whsk_${encoded}`), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key).export({ format: 'jwk' }).x;
  return publicKey === Buffer.from(encoded, 'base64').subarray(32).toString('base64url');
});

/** Asks once for each text; a text that makes node:crypto throw is none. Remembers digests, not secrets. */
function remembered(ask: (text: string) => boolean): (text: string) => boolean {
  const answers = new Map<string, boolean>();
  return (text) => {
    const digest = createHash('sha256').update(text).digest('base64');
    const known = answers.get(digest);
    if (known !== undefined) return known;
    const answer = isTrueOf(ask, text);
    answers.set(digest, answer);
    if (answers.size > ANSWERS_MAX) answers.delete(answers.keys().next().value as string);
    return answer;
  };
}

function isTrueOf(ask: (text: string) => boolean, text: string): boolean {
  try {
    return ask(text);
  } catch {
    return false;
  }
}
