/**
 * The guard's judgement of addresses, one by one: nothing is sent towards any of them, only functions are asked.
 * Takes under a second.
 */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createEgressGuard, parseRange } from './egress-guard.ts';
import { guardedLookup } from './guarded-lookup.ts';

const guard = createEgressGuard([]);

test.each([
  ['8.8.8.8', 'public IPv4'],
  ['93.184.215.14', 'public IPv4'],
  ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', 'public IPv6'],
  ['::ffff:8.8.8.8', 'public IPv4, mapped'],
  ['64:ff9b::808:808', 'public IPv4 behind NAT64'],
  ['168.63.129.17', 'beside an endpoint of Azure'],
  ['2606:2800::5efe:8.8.8.8', 'public behind ISATAP'],
  ['2606:2800::a00:1', 'public, and no ISATAP'],
  ['2606:2800::1:5efe:a00:1', 'public, and no ISATAP'],
])('%s is allowed: %s', (address) => {
  expect(guard.allows(address)).toBe(true);
});

test.each([
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback, mapped'],
  ['::ffff:7f00:1', 'loopback, mapped, in hexadecimal'],
  ['::7f00:1', 'loopback in the deprecated compatible form'],
  ['64:ff9b::7f00:1', 'loopback behind NAT64'],
  ['64:ff9b:1::7f00:1', 'loopback behind a local NAT64'],
  ['64:ff9b:1:0:0:0:a00:1', 'private behind a local NAT64'],
  ['64:ff9b::a00:1', 'private behind NAT64'],
  ['::ffff:0:7f00:1', 'loopback, translated (SIIT)'],
  ['::ffff:0:a9fe:a9fe', 'metadata, translated (SIIT)'],
  ['::127.0.0.1', 'loopback in the deprecated compatible form'],
  ['::10.0.0.1', 'private in the deprecated compatible form'],
  ['2002:7f00:1::', 'loopback behind 6to4'],
  ['2002:c0a8:101::1', 'private behind 6to4'],
  ['2001:0:7f00:1::', 'a Teredo server on loopback'],
  ['fe80::1%eth0', 'link-local with its zone'],
  ['::1%lo', 'loopback with a zone'],
  ['0.1.2.3', 'this network'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['192.0.0.170', 'protocol assignments'],
  ['198.19.255.255', 'benchmarks'],
  ['0x7f.0.0.1', 'hexadecimal, which no socket takes'],
  ['0177.0.0.1', 'octal, which no socket takes'],
  ['127.1', 'short, which no socket takes'],
  ['2130706433', 'a number, which no socket takes'],
  ['[::1]', 'bracketed, which no socket takes'],
  ['2001:0:4136:e378:8000:63bf:80ff:fffe', 'Teredo'],
  ['0.0.0.0', 'this host'],
  ['::', 'this host'],
  ['10.1.2.3', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['::ffff:192.168.1.1', 'private, mapped'],
  ['fd00::1', 'unique local'],
  ['fe80::1', 'link-local'],
  ['fec0::1', 'site-local, deprecated'],
  ['169.254.169.254', "the clouds' metadata service"],
  ['::ffff:169.254.169.254', 'metadata, mapped'],
  ['64:ff9b::a9fe:a9fe', 'metadata behind NAT64'],
  ['2002:a9fe:a9fe::', 'metadata behind 6to4'],
  ['fd00:ec2::254', 'metadata of EC2 over IPv6'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.100.100.200', 'metadata of Alibaba Cloud'],
  ['192.0.0.1', 'protocol assignments'],
  ['192.0.2.1', 'documentation'],
  ['198.18.0.1', 'benchmarks'],
  ['224.0.0.1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['ff02::1', 'multicast'],
  ['2001:db8::1', 'documentation'],
  ['100::1', 'discard'],
  ['5f00::1', 'segment routing'],
  ['168.63.129.16', "a host's endpoint in Azure"],
  ['::ffff:168.63.129.16', "a host's endpoint in Azure, mapped"],
  ['3ffe::1', 'the 6bone'],
  ['3fff::1', 'documentation'],
  ['2606:2800::5efe:10.0.0.1', 'private behind ISATAP'],
  ['2606:2800::200:5efe:7f00:1', 'loopback behind ISATAP'],
  ['localhost', 'no address'],
  ['', 'no address'],
])('%s is refused: %s', (address) => {
  expect(guard.allows(address)).toBe(false);
});

test('an operator can allow a range, and no more than it', () => {
  const lenient = createEgressGuard(['10.1.0.0/16', 'fd12::/16']);
  expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1'].map(lenient.allows)).toEqual([true, true, true]);
  expect(['10.2.0.1', '127.0.0.1', 'fd13::1'].map(lenient.allows)).toEqual([false, false, false]);
});

test.each([
  '10.0.0.0',
  '10.0.0.0/33',
  'fd00::/129',
  'everything',
  '',
  '10/8',
  '192.168/16',
  '10.0.0/24',
  '010.0.0.0/8',
  '0x0a.0.0.0/8',
  '2130706433/32',
  '10.0.0.0/08',
  '10.0.0.0/+8',
  '10.0.0.0.0/8',
  '10.0.0.256/32',
  '10.0.0.0/8/8',
  '10.0.0.1/8',
  '10.0.0.0 /8',
  'fd00::1/8',
  'fd00/8',
  'fe80::%eth0/64',
  '::ffff:10.0.0.0/104',
  '64:ff9b::/96',
  '１0.0.0.0/8',
])('%j is no range', (text) => {
  expect(() => parseRange(text)).toThrow('is no CIDR range');
});

test('an IPv4 address is judged the same in every form that reaches it', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = address
        .split('.')
        .map((byte) => Number(byte).toString(16).padStart(2, '0'))
        .join('')
        .replace(/(....)(....)/, '$1:$2');
      for (const form of [`::ffff:${address}`, `::ffff:${hex}`, `64:ff9b::${hex}`])
        expect(guard.allows(form)).toBe(guard.allows(address));
    }),
  );
});

// What Node's URL parser makes of them is what a socket is asked to connect to.
test.each([
  ['http://2130706433/', 'a number'],
  ['http://0x7f000001/', 'a hexadecimal number'],
  ['http://017700000001/', 'an octal number'],
  ['http://0x7f.1/', 'hexadecimal and short'],
  ['http://0177.0.0.1/', 'octal'],
  ['http://127.1/', 'short'],
  ['http://127.0.1/', 'short'],
  ['http://127.0.0.1./', "with the root's dot"],
  ['http://%31%32%37.0.0.1/', 'percent-encoded'],
  ['http://①②⑦.⓪.⓪.①/', 'in enclosed digits'],
  ['http://127。0。0。1/', 'with ideographic full stops'],
  ['http://0/', 'zero'],
  ['http://[::1]/', 'IPv6'],
  ['http://[0:0:0:0:0:ffff:127.0.0.1]/', 'IPv6, mapped, in long form'],
  ['http://[::ffff:7f00:1]/', 'IPv6, mapped, in hexadecimal'],
  ['http://[64:ff9b::127.0.0.1]/', 'IPv6 behind NAT64'],
  ['http://169.254.169.254/', 'metadata'],
  ['http://2852039166/', 'metadata as a number'],
  ['http://0xa9fea9fe/', 'metadata as a hexadecimal number'],
])('%s is refused once it is parsed: %s', (text) => {
  expect(guard.allows(new URL(text).hostname.replace(/^\[|\]$/g, ''))).toBe(false);
});

/** Resolves as the test says, one answer after the other. */
function resolver(...answers: readonly string[][]) {
  let turn = 0;
  const resolve = (
    _hostname: string,
    _options: LookupOptions,
    callback: (error: null, addresses: LookupAddress[]) => void,
  ) => {
    const addresses = answers[Math.min(turn++, answers.length - 1)] ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return resolve as unknown as Parameters<typeof guardedLookup>[1];
}

function lookUp(lookup: ReturnType<typeof guardedLookup>, hostname = 'receiver.test'): Promise<unknown> {
  return new Promise((resolve) => {
    lookup(hostname, { all: true }, (error, addresses) => resolve(error?.code ?? addresses));
  });
}

test.each([
  ['a public address and a private one', ['93.184.215.14', '10.0.0.1']],
  ['a private address after many public ones', ['8.8.8.8', '8.8.4.4', '1.1.1.1', '::ffff:127.0.0.1']],
  ['a private address alone', ['192.168.1.1']],
  ['a public IPv4 and a private IPv6 address', ['8.8.8.8', 'fd00::1']],
])('a name that resolves to %s is refused: any of them may be used', async (_, addresses) => {
  expect(await lookUp(guardedLookup(guard, resolver(addresses)))).toBe('ERR_EGRESS_BLOCKED');
});

test('a name that changes between two look-ups is judged by the answer that is used', async () => {
  const lookup = guardedLookup(guard, resolver(['93.184.215.14'], ['169.254.169.254'], ['93.184.215.14']));
  expect(await lookUp(lookup)).toEqual([{ address: '93.184.215.14', family: 4 }]);
  expect(await lookUp(lookup)).toBe('ERR_EGRESS_BLOCKED');
  expect(await lookUp(lookup)).toEqual([{ address: '93.184.215.14', family: 4 }]);
});

test('a name without an address is not found, and no way in', async () => {
  const lookup = guardedLookup(guard, resolver([]));
  const code = await new Promise((resolve) => {
    lookup('receiver.test', {}, (error) => resolve(error?.code));
  });
  expect(code).toBe('ENOTFOUND');
});

test.each(['localhost', 'localhost.', 'LOCALHOST', 'a.localhost'])(
  '%s is refused by what it resolves to here',
  async (name) => {
    const code = await lookUp(guardedLookup(guard), name);
    // Not every resolver knows all of them; none leads anywhere.
    expect(['ERR_EGRESS_BLOCKED', 'ENOTFOUND', 'EAI_AGAIN']).toContain(code);
  },
);
