/** A session cookie says nothing, cannot be made up, and ends with its key. Takes under a second. */
import { expect, test } from '@jest/globals';
import { fingerprintOf } from '@hookfleet/runtime';
import { createSessions, type SessionStore } from './sessions.ts';

const OPERATOR = 'a-key-of-an-operator';
const VIEWER = 'a-key-of-a-viewer';
const ALL = 'a-key-of-everything';
const KEYS = [`operate:${OPERATOR}`, `read:${VIEWER}`, ALL, 'enqueue:a-key-of-an-upstream'];

/** What Redis would keep; its own is tested with the aggregator. */
function setup(keys: readonly string[] = KEYS) {
  const kept = new Map<string, string>();
  const store: SessionStore = {
    put: async (id, session) => void kept.set(id, session),
    get: async (id) => kept.get(id),
    remove: async (id) => void kept.delete(id),
  };
  const sessions = createSessions(keys, store);
  const issue = async (key: string) => (await sessions.issue(key, { secure: false })).split(';')[0] as string;
  return { kept, store, sessions, issue };
}

test('a session may do what its key may, and never brings anything in', async () => {
  const { sessions, issue } = setup();
  for (const [key, roles] of [
    [VIEWER, ['read']],
    [OPERATOR, ['read', 'operate']],
    [ALL, ['read', 'operate']],
  ] as const)
    expect(await sessions.callerOf(`theme=dark; ${await issue(key)}`)).toEqual({
      fingerprint: fingerprintOf(key),
      roles,
    });
});

test('it ends with its key, may do less if that may, and ends by a sign-out', async () => {
  const { store, sessions, issue } = setup();
  const [viewer, operator] = [await issue(VIEWER), await issue(OPERATOR)];
  const lessKeys = createSessions([`read:${OPERATOR}`], store);
  expect(await lessKeys.callerOf(viewer)).toBeUndefined();
  expect(await lessKeys.callerOf(operator)).toMatchObject({ roles: ['read'] });
  await sessions.end(operator);
  expect(await sessions.callerOf(operator)).toBeUndefined();
  expect(await sessions.callerOf(viewer)).toBeDefined();
});

test('nothing that the keys tell makes one: not what is kept of another, and no letter changed', async () => {
  const { kept, sessions, issue } = setup();
  const cookie = await issue(VIEWER);
  const [[id, seal]] = [...kept] as [[string, string]];
  kept.set('x'.repeat(43), seal);
  expect(await sessions.callerOf(`hookfleet_session=${'x'.repeat(43)}`)).toBeUndefined();
  kept.set(id, 'not a seal');
  expect(await sessions.callerOf(cookie)).toBeUndefined();
  for (const none of [undefined, '', 'hookfleet_session=', 'other=1', `hookfleet_session=${id}x`])
    expect(await sessions.callerOf(none)).toBeUndefined();
  expect(cookie).not.toContain('read');
});

test('no script reads it, no other site sends it, and over TLS nothing else carries it', async () => {
  const { sessions } = setup();
  const secure = await sessions.issue(VIEWER, { secure: true });
  const ended = await sessions.end(undefined);
  for (const cookie of [await sessions.issue(VIEWER, { secure: false }), secure, ended])
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; /);
  expect(secure).toMatch(/; Secure$/);
  expect(ended).toMatch(/=; .*Max-Age=0$/);
});
