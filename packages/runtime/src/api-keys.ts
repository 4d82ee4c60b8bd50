/** API keys as bearer tokens (RFC 6750). Compared in constant time, over all keys, by digest: lengths don't show. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** `read`: may look, and change nothing. `operate`: may do everything. */
export type Role = 'read' | 'operate';

const READ_PREFIX = 'read:';

/** An entry of HOOKFLEET_API_KEYS: a key, or `read:` and a key. */
export function parseApiKey(entry: string): { readonly role: Role; readonly key: string } {
  return entry.startsWith(READ_PREFIX)
    ? { role: 'read', key: entry.slice(READ_PREFIX.length) }
    : { role: 'operate', key: entry };
}

/** Without keys everybody may do everything: then the process may listen on loopback only (see `bindProblems`). */
export function createApiKeyCheck(
  entries: readonly string[],
): (authorization: string | undefined) => Role | undefined {
  const known = entries.map((entry) => {
    const { role, key } = parseApiKey(entry);
    return { role, digest: digestOf(key) };
  });
  return (authorization) => {
    if (known.length === 0) return 'operate';
    const given = digestOf(/^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '');
    // No early exit: each key is compared.
    const fitting = known.filter(({ digest }) => timingSafeEqual(digest, given));
    return fitting.some(({ role }) => role === 'operate') ? 'operate' : fitting[0]?.role;
  };
}

/** Why a process must not listen on `host`, as a configuration's check tells it; nothing where it may. */
export function bindProblems(host: string, keys: readonly string[]): readonly string[] {
  if (isLoopback(host) || keys.length > 0) return [];
  return [`HOOKFLEET_API_KEYS: must be set where HOST is ${host}, which others can reach`];
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
