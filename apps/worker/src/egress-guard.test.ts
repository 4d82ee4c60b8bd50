/** The guard's judgement of addresses, one by one: nothing is sent towards any of them. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createEgressGuard, parseRange } from './egress-guard.ts';

const guard = createEgressGuard([]);

test.each([
  ['8.8.8.8', 'public IPv4'],
  ['93.184.215.14', 'public IPv4'],
  ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', 'public IPv6'],
  ['::ffff:8.8.8.8', 'public IPv4, mapped'],
  ['64:ff9b::808:808', 'public IPv4 behind NAT64'],
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
  ['2002:7f00:1::', 'loopback behind 6to4'],
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

test.each(['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'everything', ''])('%j is no range', (text) => {
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
