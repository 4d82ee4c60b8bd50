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

  constructor(address: string) {
    super(`${address} is no address that webhooks may be sent to`);
  }
}

export interface EgressGuard {
  /** The address as text, without brackets or zone. */
  allows(address: string): boolean;
}

// Global unicast addresses of IPv6 all lie here (RFC 4291, 2.4); special ranges within are excluded below.
const IPV6_GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/** `allow`: CIDR ranges. Throws a TypeError for one that isn't. */
export function createEgressGuard(allow: readonly string[]): EgressGuard {
  const allowed = allow.map(parseRange);
  return {
    allows(text) {
      if (!ipaddr.isValid(text)) return false;
      // IPv4 inside IPv6 (mapped, NAT64) is judged as the IPv4 address that will be reached.
      const address = unwrap(ipaddr.parse(text));
      return (
        isPublic(address) ||
        allowed.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))
      );
    },
  };
}

/** Throws a TypeError where the text is no CIDR range. */
export function parseRange(text: string): [Address, number] {
  try {
    return ipaddr.parseCIDR(text.trim());
  } catch {
    throw new TypeError(`${JSON.stringify(text)} is no CIDR range such as 10.0.0.0/8 or fd00::/8`);
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
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || (address as ipaddr.IPv6).match(...IPV6_GLOBAL_UNICAST);
}
