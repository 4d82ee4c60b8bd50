/** A session cookie cannot be forged, read by scripts or sent by other sites. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { Role } from '@hookfleet/runtime';
import { createSessions } from './sessions.ts';

const KEYS = ['a-key-of-an-operator', 'read:a-key-of-a-viewer'];

function setup() {
  let nowMs = 1_000_000;
  const sessions = createSessions(KEYS, () => nowMs);
  const issue = (...roles: readonly Role[]) =>
    sessions.issue({ fingerprint: '0a1b2c3d', roles }, { secure: false }).split(';')[0] as string;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { sessions, issue, now: () => nowMs, pass };
}

test('a session stands for who signed in until it ends, and never brings anything in', () => {
  const { sessions, issue, pass } = setup();
  const cookies = [issue('read'), issue('read', 'operate'), issue('enqueue', 'read', 'operate')];
  expect(cookies.map((cookie) => sessions.callerOf(`theme=dark; ${cookie}`))).toEqual(
    [['read'], ['read', 'operate'], ['read', 'operate']].map((roles) => ({ fingerprint: '0a1b2c3d', roles })),
  );
  pass(12 * 3_600_000);
  for (const cookie of cookies) expect(sessions.callerOf(cookie)).toBeUndefined();
});

test('no letter of it can be changed, and other keys do not know it', () => {
  const { sessions, issue, now } = setup();
  const cookie = issue('read');
  const value = cookie.slice(cookie.indexOf('=') + 1);
  for (let i = 0; i < value.length; i += 1) {
    const changed = value.slice(0, i) + (value[i] === '1' ? '2' : '1') + value.slice(i + 1);
    // The last letter of a base64url text may hold bits that stand for nothing: the text is compared, not its bytes.
    expect(sessions.callerOf(`hookfleet_session=${changed}`)).toBeUndefined();
  }
  expect(sessions.callerOf(cookie.replace('read', 'operate'))).toBeUndefined();
  expect(createSessions(KEYS.slice(1), now).callerOf(cookie)).toBeUndefined();
  expect(createSessions([...KEYS], now).callerOf(cookie)?.roles).toEqual(['read']);
  for (const none of [undefined, '', 'hookfleet_session=', 'other=1'])
    expect(sessions.callerOf(none)).toBeUndefined();
});

test('no script reads it, no other site sends it, and over TLS nothing else carries it', () => {
  const { sessions } = setup();
  const viewer = { fingerprint: '0a1b2c3d', roles: ['read'] } as const;
  for (const cookie of [
    sessions.issue(viewer, { secure: false }),
    sessions.issue(viewer, { secure: true }),
    sessions.end(),
  ])
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; /);
  expect(sessions.issue(viewer, { secure: true })).toMatch(/; Secure$/);
  expect(sessions.end()).toMatch(/=; .*Max-Age=0$/);
});
