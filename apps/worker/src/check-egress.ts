/**
 * May webhooks be sent to a URL? Judged by the rules that deliveries are judged by, and told to a person: `--check` of
 * the worker, for `hookfleet doctor`. Names are resolved; nothing is connected to.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { maskPasswords } from '@hookfleet/runtime';
import { createEgressGuard } from './egress-guard.ts';
import { createProxyBypass, type ProxySettings } from './proxy-settings.ts';

export interface EgressReport {
  readonly url: string;
  readonly allowed: boolean;
  /** The proxy resolves names: here only literal addresses are judged. */
  readonly throughProxy: boolean;
  readonly addresses: readonly { readonly address: string; readonly allowed: boolean }[];
  /** Where it is not known. */
  readonly fault?: string;
}

export interface EgressSettings extends ProxySettings {
  readonly egressAllow: readonly string[];
}

export async function checkEgress(given: string, settings: EgressSettings): Promise<EgressReport> {
  // For a person's screen, and whoever looks over their shoulder.
  const text = maskPasswords(given);
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return {
      url: text,
      allowed: false,
      throughProxy: false,
      addresses: [],
      fault: 'is no http or https URL',
    };
  const proxy = url.protocol === 'https:' ? settings.httpsProxy : settings.httpProxy;
  const throughProxy = proxy !== undefined && !createProxyBypass(settings.noProxy)(url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (throughProxy && isIP(host) === 0) return { url: text, allowed: true, throughProxy, addresses: [] };
  const guard = createEgressGuard(settings.egressAllow);
  try {
    const resolved = await lookup(host, { all: true });
    const addresses = resolved.map(({ address }) => ({ address, allowed: guard.allows(address) }));
    return { url: text, allowed: addresses.every(({ allowed }) => allowed), throughProxy, addresses };
  } catch (error) {
    const fault = `does not resolve (${(error as NodeJS.ErrnoException).code})`;
    return { url: text, allowed: false, throughProxy, addresses: [], fault };
  }
}
