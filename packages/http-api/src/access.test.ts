import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Call, decideAccess, PAGE_HEADER } from './access.ts';

const host = 'fleet.example:8081';
const call: Call = {
  method: 'GET',
  keyRole: undefined,
  sessionRole: undefined,
  needsKeys: true,
  headers: { host },
  changesNothing: false,
};

test.each<[string, Partial<Call>, object]>([
  ['nobody may look', {}, { refused: 'unknown' }],
  ['a viewer may look', { keyRole: 'read' }, { role: 'read' }],
  ['a viewer may change nothing', { keyRole: 'read', method: 'POST' }, { refused: 'reader' }],
  [
    'a viewer may end the own session',
    { keyRole: 'read', method: 'DELETE', changesNothing: true },
    { role: 'read' },
  ],
  ['an operator may change', { keyRole: 'operate', method: 'PUT' }, { role: 'operate' }],
  ['a session may look', { sessionRole: 'read' }, { role: 'read' }],
  ['a key counts before a session', { keyRole: 'read', sessionRole: 'operate' }, { role: 'read' }],
  [
    "a session changes nothing without the page's header",
    { sessionRole: 'operate', method: 'POST' },
    { refused: 'pageHeader' },
  ],
  [
    "a session changes with the page's header",
    { sessionRole: 'operate', method: 'POST', headers: { host, [PAGE_HEADER]: '1' } },
    { role: 'operate' },
  ],
  [
    'the page of the same origin',
    { keyRole: 'operate', method: 'POST', headers: { host, origin: `https://${host}` } },
    { role: 'operate' },
  ],
  [
    'a page of another origin',
    { keyRole: 'operate', method: 'POST', headers: { host, origin: 'https://evil.example' } },
    { refused: 'foreign' },
  ],
  [
    'the page behind a proxy that calls us by another name',
    {
      keyRole: 'operate',
      method: 'POST',
      headers: { host: 'aggregator:8081', origin: `https://${host}`, 'sec-fetch-site': 'same-origin' },
    },
    { role: 'operate' },
  ],
  [
    'a page without an origin',
    { keyRole: 'operate', method: 'POST', headers: { host, origin: 'null' } },
    { refused: 'foreign' },
  ],
  [
    'a page of a sister site',
    { keyRole: 'operate', method: 'POST', headers: { host, 'sec-fetch-site': 'same-site' } },
    { refused: 'foreign' },
  ],
  [
    'a name that was made to point at loopback',
    { needsKeys: false, keyRole: 'operate', headers: { host: 'evil.example:8081' } },
    { refused: 'host' },
  ],
  [
    'loopback by its address',
    { needsKeys: false, keyRole: 'operate', headers: { host: '[::1]:8081' } },
    { role: 'operate' },
  ],
  ['no name at all', { needsKeys: false, keyRole: 'operate', headers: {} }, { refused: 'host' }],
])('%s', (_what, given, expected) => {
  expect(decideAccess({ ...call, ...given })).toEqual(expected);
});

test('nothing is changed on the word of a viewer, of nobody, or of a foreign page', () => {
  const role = fc.constantFrom(undefined, 'read' as const, 'operate' as const);
  fc.assert(
    fc.property(
      fc.constantFrom('POST', 'PUT', 'DELETE', 'PATCH'),
      role,
      role,
      fc.constantFrom(undefined, `http://${host}`, 'https://evil.example', 'null'),
      fc.constantFrom(undefined, 'same-origin', 'same-site', 'cross-site', 'none'),
      fc.boolean(),
      (method, keyRole, sessionRole, origin, site, hasPageHeader) => {
        const headers = {
          host,
          origin,
          'sec-fetch-site': site,
          [PAGE_HEADER]: hasPageHeader ? '1' : undefined,
        };
        const access = decideAccess({ ...call, method, keyRole, sessionRole, headers });
        const isSame =
          site === undefined
            ? origin === undefined || origin === `http://${host}`
            : site === 'same-origin' || site === 'none';
        const mayOperate = keyRole === 'operate' || (keyRole === undefined && sessionRole === 'operate');
        const paid = keyRole !== undefined || hasPageHeader;
        expect('role' in access).toBe(isSame && mayOperate && paid);
      },
    ),
  );
});
