/** Our Lua scripts as commands of a connection. ioredis loads a script where a server doesn't have it yet. */
import type { RedisConnection } from './connection.ts';
import { readLua } from './read-lua.ts';

const SOURCES = {
  adjustBacklog: 'adjust-backlog',
  changeCircuit: 'change-circuit',
  changeControls: 'change-controls',
  claimDue: 'claim-due',
  claimWebhooks: 'claim-webhooks',
  commitWebhookIds: 'commit-webhook-ids',
  cutBatch: 'cut-batch',
  drainFormerLane: 'drain-former-lane',
  findKeys: 'find-keys',
  gatherWebhooks: 'gather-webhooks',
  lane: 'lane',
  noteWebhooks: 'note-webhooks',
  putChannel: 'put-channel',
  readChanges: 'read-changes',
  recordAttempts: 'record-attempts',
  resetBacklog: 'reset-backlog',
  reserveWebhookIds: 'reserve-webhook-ids',
  settleBatch: 'settle-batch',
  settleSweep: 'settle-sweep',
} as const;

export type ScriptName = keyof typeof SOURCES;

type Command = (keysCount: number, ...keysAndArguments: (string | number)[]) => Promise<unknown>;

/** Defines the commands on the connection, once. */
export function defineScripts(connection: RedisConnection): void {
  for (const [name, file] of Object.entries(SOURCES)) {
    if (name in connection) continue;
    connection.defineCommand(name, { lua: readLua(file) });
  }
}

export function runScript(
  connection: RedisConnection,
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const command = (connection as unknown as Record<ScriptName, Command>)[name];
  return command.call(connection, keys.length, ...keys, ...args);
}
