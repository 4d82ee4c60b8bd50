/**
 * Which destinations are reached through the operator's egress proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as curl and
 * Go read them. Pure. Loopback addresses are never sent through a proxy: there they would mean the proxy itself.
 */
import { BlockList, isIP } from 'node:net';

export interface ProxySettings {
  readonly httpsProxy: string | undefined;
  readonly httpProxy: string | undefined;
  readonly noProxy: readonly string[];
}

/** Throws a TypeError that shows no password. */
export function parseProxyUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new TypeError('must be an http or https URL, such as http://proxy.internal:3128');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new TypeError('must be an http or https URL without path or query');
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new TypeError('has a user or password that is not percent-encoded');
  }
  return url;
}

const NO_PROXY_ITEM =
  /^(?:\*|\[?[0-9a-f:.]+\]?(?:\/\d{1,3})?|(?:\*?\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?(?::\d{1,5})?)$/i;

/** Throws a TypeError for what is neither a name, an address, a CIDR range nor `*`. */
export function parseNoProxy(item: string): string {
  if (!NO_PROXY_ITEM.test(item))
    throw new TypeError('each item must be a name, an address, a CIDR range, or *');
  const [address = '', bits] = item.split('/');
  if (bits !== undefined) {
    const family = isIP(address);
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128))
      throw new TypeError('has a range that is none');
  }
  return item;
}

const LOOPBACK = ['localhost', '127.0.0.0/8', '::1'];

/** Does NO_PROXY, or its being loopback, exempt the destination? A name exempts what is below it too. */
export function createProxyBypass(noProxy: readonly string[]): (url: URL) => boolean {
  const addresses = new BlockList();
  const names: { readonly name: string; readonly port: string | undefined }[] = [];
  for (const item of [...LOOPBACK, ...noProxy]) {
    const [address = '', bits] = item.replace(/^\[|\]$/g, '').split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (isIP(address) !== 0 && bits !== undefined) addresses.addSubnet(address, Number(bits), family);
    else if (isIP(address) !== 0) addresses.addAddress(address, family);
    else {
      const [name = '', port] = item.split(':');
      names.push({ name: plainName(name.replace(/^\*?\./, '')), port });
    }
  }
  return (url) => {
    const host = plainName(url.hostname.replace(/^\[|\]$/g, ''));
    const family = isIP(host);
    if (family !== 0 && addresses.check(host, family === 4 ? 'ipv4' : 'ipv6')) return true;
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    return names.some(
      (one) =>
        (one.port === undefined || one.port === port) &&
        (one.name === '*' || host === one.name || (family === 0 && host.endsWith(`.${one.name}`))),
    );
  };
}

/** In lower case, without the root's dot. */
function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
