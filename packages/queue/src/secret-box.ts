/**
 * Keeps secrets closed at rest: AES-256-GCM with a key from the environment, a fresh nonce each time. Several keys while
 * one is replaced: the first closes, all open. What was written without a key is still read, so that a fleet can begin
 * to use one.
 *
 * A text is closed for its owner, a channel or a campaign, by GCM's associated data: who can write to Redis can't give it to
 * another. Versions before closed without ("s1."): such texts are read as long as their key is among ours.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export interface SecretBox {
  /** False without a key: `seal` gives the text back as it is. */
  readonly hasKey: boolean;
  /** Name the keys without telling them: that of the key that seals comes first. */
  readonly keyIds: readonly string[];
  seal(text: string, owner: SecretOwner): string;
  /** Throws SecretKeyMissingError; and Node's error for a text that was tampered with, or closed for another owner. */
  open(text: string, owner: SecretOwner): string;
}

/** Whom a text belongs to. */
export type SecretOwner = { readonly channelConfigId: string } | { readonly campaignId: string };

/** The key that closed it is not among ours: a matter of configuration. */
export class SecretKeyMissingError extends Error {
  override readonly name = 'SecretKeyMissingError';
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
const SEALED = /^(s[12])\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/;

/** Throws a TypeError for a text that is not the base64 of 32 bytes. */
export function parseEncryptionKey(text: string): Buffer {
  const key = Buffer.from(text, 'base64');
  if (key.length !== KEY_BYTES || !/^[A-Za-z0-9+/]{43}=?$/.test(text))
    throw new TypeError('each key must be the base64 of 32 bytes, as of openssl rand -base64 32');
  return key;
}

export function createSecretBox(keys: readonly string[]): SecretBox {
  const byId = new Map(keys.map((text) => [keyId(text), parseEncryptionKey(text)]));
  const [first] = byId;
  return {
    hasKey: first !== undefined,
    keyIds: [...byId.keys()],
    seal(text, owner) {
      if (first === undefined) return text;
      const [id, key] = first;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associatedData(owner));
      const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `s2.${id}.${bytes.toString('base64url')}`;
    },
    open(text, owner) {
      const [, version, id, encoded] = SEALED.exec(text) ?? [];
      if (id === undefined || encoded === undefined) return text;
      const key = byId.get(id);
      if (key === undefined)
        throw new SecretKeyMissingError(
          `the key ${id} that closed a secret is not among HOOKFLEET_ENCRYPTION_KEYS`,
        );
      const bytes = Buffer.from(encoded, 'base64url');
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      if (version === 's2') decipher.setAAD(associatedData(owner));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return (
        decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
      );
    },
  };
}

function associatedData(owner: SecretOwner): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(owner)));
}

/** Names a key without telling it. */
function keyId(text: string): string {
  return createHash('sha256').update(parseEncryptionKey(text)).digest('hex').slice(0, 8);
}
