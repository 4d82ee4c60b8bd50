/** Sessions of the page, in Redis until they end: every aggregator knows them, and a sign-out ends one everywhere. */
import { createHash } from 'node:crypto';
import type { RedisConnection } from './connection.ts';
import { sessionKey } from './keys.ts';

export interface SessionStore {
  put(id: string, session: string, lifetimeMs: number): Promise<void>;
  /** Undefined if it has ended. */
  get(id: string): Promise<string | undefined>;
  remove(id: string): Promise<void>;
}

export function openSessionStore({
  connection,
  prefix,
}: {
  readonly connection: RedisConnection;
  readonly prefix: string;
}): SessionStore {
  // By its digest: who can read Redis has no id, and so no session.
  const keyOf = (id: string) => sessionKey(prefix, createHash('sha256').update(id).digest('base64url'));
  return {
    async put(id, session, lifetimeMs) {
      await connection.set(keyOf(id), session, 'PX', lifetimeMs);
    },
    get: async (id) => (await connection.get(keyOf(id))) ?? undefined,
    async remove(id) {
      await connection.del(keyOf(id));
    },
  };
}
