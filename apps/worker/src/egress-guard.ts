/**
 * The sixth promise: no way in. An address may be connected to if it is public, or if the operator allows its range
 * (HOOKFLEET_EGRESS_ALLOW). It is asked about the address that the socket is about to connect to, whatever the URL
 * said: Node's parser has by then turned odd literals (0x7f.1, 2130706433, 127.1) into plain ones, and a name that
 * resolves differently each time (DNS rebinding) is judged by the answer that is used.
 */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export class EgressBlockedError extends Error {
  override readonly name = 'EgressBlockedError';
  readonly code = 'ERR_EGRESS_BLOCKED';

  readonly address: string;

  constructor(address: string) {
    super(`address ${address} is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)`);
    this.address = address;
  }
}

export interface EgressGuard {
  /** The address as text, without brackets or zone. */
  allows(address: string): boolean;
}

// Global unicast addresses of IPv6 all lie here (RFC 4291, 2.4); special ranges within are excluded below.
const IPV6_GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
// Special in use, and in no registry.
const NOT_PUBLIC: readonly [Address, number][] = [
  // A host's own endpoint in Azure (Microsoft, "What is IP address 168.63.129.16?").
  ipaddr.parseCIDR('168.63.129.16/32'),
  // The 6bone's, given back (RFC 3701).
  ipaddr.parseCIDR('3ffe::/16'),
];

/** `allow`: CIDR ranges. Throws a TypeError for one that isn't. */
export function createEgressGuard(allow: readonly string[]): EgressGuard {
  const allowed = allow.map(parseRange);
  return {
    allows(text) {
      if (!ipaddr.isValid(text)) return false;
      // IPv4 inside IPv6 (mapped, NAT64) is judged as the IPv4 address that will be reached.
      const address = unwrap(ipaddr.parse(text));
      return isPublic(address) || allowed.some((range) => isWithin(address, range));
    },
  };
}

const IPV4_RANGE = /^(?:(?:0|[1-9]\d{0,2})(?:\.(?!\/)|(?=\/))){4}\/(?:0|[1-9]\d?)$/;
const IPV6_RANGE = /^[\da-f:]*:[\da-f:.]*\/(?:0|[1-9]\d{0,2})$/i;

/**
 * Throws a TypeError if the text is no CIDR range. Written in full: short, octal and numeric forms mean something else to
 * each reader (10/8 is 0.0.0.10/8 to one, 10.0.0.0/8 to another), and so do bits behind the range's.
 */
export function parseRange(text: string): [Address, number] {
  const given = text.trim();
  const range = readRange(given);
  if (range === undefined)
    throw new TypeError(`${JSON.stringify(text)} is no CIDR range such as 10.0.0.0/8 or fd00::/8`);
  const [address, bits] = range;
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  const first = family.networkAddressFromCIDR(`${address.toString()}/${bits}`);
  if (first.toString() !== address.toString())
    throw new TypeError(
      `${given} is no CIDR range: it has bits behind its ${bits}; ${first.toString()}/${bits} has not`,
    );
  if (unwrap(address).kind() !== address.kind())
    throw new TypeError(`${given} is no CIDR range that is asked about: write it as one of IPv4`);
  return range;
}

function readRange(text: string): [Address, number] | undefined {
  if (!IPV4_RANGE.test(text) && !IPV6_RANGE.test(text)) return undefined;
  try {
    return ipaddr.parseCIDR(text);
  } catch {
    return undefined;
  }
}

function unwrap(address: Address): Address {
  if (address.kind() === 'ipv4') return address;
  const ipv6 = address as ipaddr.IPv6;
  if (ipv6.isIPv4MappedAddress()) return ipv6.toIPv4Address();
  if (ipv6.match(...NAT64)) return new ipaddr.IPv4(ipv6.toByteArray().slice(12));
  return ipv6;
}

/** ipaddr.js names each special range of the IANA registries; "unicast" is what remains. */
function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || NOT_PUBLIC.some((range) => isWithin(address, range))) return false;
  if (address.kind() === 'ipv4') return true;
  const ipv6 = address as ipaddr.IPv6;
  const embedded = isatapOf(ipv6);
  return ipv6.match(...IPV6_GLOBAL_UNICAST) && (embedded === undefined || isPublic(embedded));
}

function isWithin(address: Address, [range, bits]: readonly [Address, number]): boolean {
  return range.kind() === address.kind() && address.match(range, bits);
}

/** The IPv4 address to which a tunnel takes an ISATAP address (RFC 5214, 6.1), if it is one. */
function isatapOf(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  const [, , , , universal = 0, marker] = address.parts;
  // The universal bit tells whether the IPv4 address is unique; neither is to be believed.
  if ((universal & ~0x0200) !== 0 || marker !== 0x5efe) return undefined;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}
