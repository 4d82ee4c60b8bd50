import { expect, test } from '@jest/globals';
import { createSessions } from './sessions.ts';

const KEYS = ['a-key-of-an-operator', 'read:a-key-of-a-viewer'];

function setup() {
  let nowMs = 1_000_000;
  const sessions = createSessions(KEYS, () => nowMs);
  const issue = (role: 'read' | 'operate') => sessions.issue(role, { secure: false }).split(';')[0] as string;
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { sessions, issue, now: () => nowMs, pass };
}

test('a session stands for its role until it ends', () => {
  const { sessions, issue, pass } = setup();
  const cookies = [issue('read'), issue('operate')];
  expect(cookies.map((cookie) => sessions.roleOf(`theme=dark; ${cookie}`))).toEqual(['read', 'operate']);
  pass(12 * 3_600_000);
  expect(cookies.map((cookie) => sessions.roleOf(cookie))).toEqual([undefined, undefined]);
});

test('no letter of it can be changed, and other keys do not know it', () => {
  const { sessions, issue, now } = setup();
  const cookie = issue('read');
  const value = cookie.slice(cookie.indexOf('=') + 1);
  for (let i = 0; i < value.length; i += 1) {
    const changed = value.slice(0, i) + (value[i] === '1' ? '2' : '1') + value.slice(i + 1);
    // The last letter of a base64url text may hold bits that stand for nothing: the text is compared, not its bytes.
    expect(sessions.roleOf(`hookfleet_session=${changed}`)).toBeUndefined();
  }
  expect(sessions.roleOf(cookie.replace('read', 'operate'))).toBeUndefined();
  expect(createSessions(KEYS.slice(1), now).roleOf(cookie)).toBeUndefined();
  expect(createSessions([...KEYS], now).roleOf(cookie)).toBe('read');
  for (const none of [undefined, '', 'hookfleet_session=', 'other=1'])
    expect(sessions.roleOf(none)).toBeUndefined();
});

test('no script reads it, no other site sends it, and over TLS nothing else carries it', () => {
  const { sessions } = setup();
  for (const cookie of [
    sessions.issue('read', { secure: false }),
    sessions.issue('read', { secure: true }),
    sessions.end(),
  ])
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; /);
  expect(sessions.issue('read', { secure: true })).toMatch(/; Secure$/);
  expect(sessions.end()).toMatch(/=; .*Max-Age=0$/);
});
