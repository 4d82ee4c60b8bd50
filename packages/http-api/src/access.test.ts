/** A call is allowed only for a role that may make it, and never on behalf of a foreign page. Takes under a second. */
import { expect, test } from '@jest/globals';
import { type Caller, ROLES, type Role } from '@hookfleet/runtime';
import fc from 'fast-check';
import { type Call, decideAccess, PAGE_HEADER } from './access.ts';

const host = 'fleet.example:8081';
const call: Call = {
  method: 'GET',
  keyCaller: undefined,
  sessionCaller: undefined,
  needsKeys: true,
  headers: { host },
  needs: undefined,
};

const caller = (...roles: readonly Role[]): Caller => ({ fingerprint: roles.join(), roles });
const upstream = caller('enqueue');
const viewer = caller('read');
const operator = caller('read', 'operate');
const bypass = caller(...ROLES);

test.each<[string, Partial<Call>, object]>([
  ['nobody may look', {}, { refused: 'unknown' }],
  ['a viewer may look', { keyCaller: viewer }, { caller: viewer, needs: 'read' }],
  [
    'a viewer may change nothing',
    { keyCaller: viewer, method: 'POST' },
    { refused: 'role', needs: 'operate' },
  ],
  [
    'a viewer may end the own session',
    { keyCaller: viewer, method: 'DELETE', needs: 'read' },
    { caller: viewer, needs: 'read' },
  ],
  [
    'an upstream may enqueue',
    { keyCaller: upstream, method: 'POST', needs: 'enqueue' },
    { caller: upstream },
  ],
  ['an upstream may not look', { keyCaller: upstream }, { refused: 'role', needs: 'read' }],
  [
    'an upstream may not operate',
    { keyCaller: upstream, method: 'PUT' },
    { refused: 'role', needs: 'operate' },
  ],
  ['a viewer may not enqueue', { keyCaller: viewer, method: 'POST', needs: 'enqueue' }, { refused: 'role' }],
  [
    'an operator may not enqueue',
    { keyCaller: operator, method: 'POST', needs: 'enqueue' },
    { refused: 'role' },
  ],
  ['an operator may look', { keyCaller: operator }, { caller: operator, needs: 'read' }],
  [
    'a key of all roles may enqueue',
    { keyCaller: bypass, method: 'POST', needs: 'enqueue' },
    { caller: bypass },
  ],
  ['an operator may change', { keyCaller: operator, method: 'PUT' }, { caller: operator, needs: 'operate' }],
  ['a session may look', { sessionCaller: viewer }, { caller: viewer, needs: 'read' }],
  [
    'a key counts before a session',
    { keyCaller: viewer, sessionCaller: operator },
    { caller: viewer, needs: 'read' },
  ],
  [
    "a session changes nothing without the page's header",
    { sessionCaller: operator, method: 'POST' },
    { refused: 'pageHeader' },
  ],
  [
    "a session changes with the page's header",
    { sessionCaller: operator, method: 'POST', headers: { host, [PAGE_HEADER]: '1' } },
    { caller: operator },
  ],
  [
    'the page of the same origin',
    { keyCaller: operator, method: 'POST', headers: { host, origin: `https://${host}` } },
    { caller: operator },
  ],
  [
    'a page of another origin',
    { keyCaller: operator, method: 'POST', headers: { host, origin: 'https://evil.example' } },
    { refused: 'foreign' },
  ],
  [
    'the page behind a proxy that calls us by another name',
    {
      keyCaller: operator,
      method: 'POST',
      headers: { host: 'aggregator:8081', origin: `https://${host}`, 'sec-fetch-site': 'same-origin' },
    },
    { caller: operator },
  ],
  [
    'a page without an origin',
    { keyCaller: operator, method: 'POST', headers: { host, origin: 'null' } },
    { refused: 'foreign' },
  ],
  [
    'a page of a sister site',
    { keyCaller: operator, method: 'POST', headers: { host, 'sec-fetch-site': 'same-site' } },
    { refused: 'foreign' },
  ],
  [
    'a name that was made to point at loopback',
    { needsKeys: false, keyCaller: operator, headers: { host: 'evil.example:8081' } },
    { refused: 'host' },
  ],
  [
    'loopback by its address',
    { needsKeys: false, keyCaller: operator, headers: { host: '[::1]:8081' } },
    { caller: operator },
  ],
  ['no name at all', { needsKeys: false, keyCaller: operator, headers: {} }, { refused: 'host' }],
])('%s', (_what, given, expected) => {
  expect(decideAccess({ ...call, ...given })).toMatchObject(expected);
});

test.each(ROLES)(
  'what needs %s is done for those that have it, and on no word of a foreign page',
  (needs) => {
    const anyone = fc.constantFrom(undefined, upstream, viewer, operator, bypass);
    fc.assert(
      fc.property(
        fc.constantFrom('POST', 'PUT', 'DELETE', 'PATCH'),
        anyone,
        anyone,
        fc.constantFrom(undefined, `http://${host}`, 'https://evil.example', 'null'),
        fc.constantFrom(undefined, 'same-origin', 'same-site', 'cross-site', 'none'),
        fc.boolean(),
        (method, keyCaller, sessionCaller, origin, site, hasPageHeader) => {
          const headers = {
            host,
            origin,
            'sec-fetch-site': site,
            [PAGE_HEADER]: hasPageHeader ? '1' : undefined,
          };
          const access = decideAccess({ ...call, method, keyCaller, sessionCaller, headers, needs });
          const isSame =
            site === undefined
              ? origin === undefined || origin === `http://${host}`
              : site === 'same-origin' || site === 'none';
          const mayDo = (keyCaller ?? sessionCaller)?.roles.includes(needs) === true;
          const paid = keyCaller !== undefined || hasPageHeader;
          expect('refused' in access).toBe(!(isSame && mayDo && paid));
        },
      ),
    );
  },
);
