/** API keys as bearer tokens (RFC 6750). Compared in constant time, over all keys, by digest: lengths don't show. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Without keys everything is allowed: then the process may listen on loopback only (see `bindProblems`). */
export function createApiKeyCheck(keys: readonly string[]): (authorization: string | undefined) => boolean {
  const digests = keys.map(digestOf);
  return (authorization) => {
    if (digests.length === 0) return true;
    const given = digestOf(/^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '');
    // No early exit: each key is compared.
    return digests.filter((digest) => timingSafeEqual(digest, given)).length > 0;
  };
}

/** Why a process must not listen on `host`, as a configuration's check tells it; nothing where it may. */
export function bindProblems(host: string, keys: readonly string[]): readonly string[] {
  const isLoopback = host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
  if (isLoopback || keys.length > 0) return [];
  return [`HOOKFLEET_API_KEYS: must be set where HOST is ${host}, which others can reach`];
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
