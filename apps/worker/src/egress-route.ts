/**
 * Which way out a destination takes: directly, or through the operator's egress proxy. Pure, and the same for every
 * HTTP client.
 *
 * Direct: whoever connects asks the guard about the address that it connects to (guarded-lookup.ts).
 * Through a proxy: the proxy resolves names, so the guard sees literals only, and names that mean this host. Whether a
 * name leads to an address that is allowed is then the proxy's to judge. Where the proxy itself is, is the operator's
 * word, and not asked about.
 */
import type dns from 'node:dns';
import { isIP } from 'node:net';
import type { EgressGuard } from './egress-guard.ts';
import { createProxyBypass, type ProxySettings } from './proxy-settings.ts';

/** What a client needs to know of the ways out. */
export interface EgressOptions {
  readonly guard: EgressGuard;
  readonly connectionsPerDestinationMax: number;
  readonly proxies: ProxySettings;
  /** A connection that is older is used for no further request: CONNECTION_AGE_MAX_MS when absent. */
  readonly connectionAgeMaxMs?: number | undefined;
  /** How names are resolved; Node's way where it is absent. */
  readonly resolve?: typeof dns.lookup | undefined;
}

export type EgressRoute = 'direct' | 'proxied' | 'blocked';

export function createEgressRoute(
  guard: EgressGuard,
  { httpsProxy, httpProxy, noProxy }: ProxySettings,
): (url: URL) => EgressRoute {
  const bypasses = createProxyBypass(noProxy);
  return (url) => {
    const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
    if (proxy === undefined || bypasses(url)) return 'direct';
    const host = hostOf(url);
    return isIP(host) !== 0 && !guard.allows(host) ? 'blocked' : 'proxied';
  };
}

/** What TLS calls the host (RFC 6066, 3): without the root's dot, which certificates don't have either. */
export function serverNameOf(hostname: string): string {
  return hostname.replace(/\.$/, '');
}

/** Without the brackets of IPv6: a name, or what a socket takes for a literal. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}
