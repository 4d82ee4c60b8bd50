/** Proxy settings are validated, and NO_PROXY bypasses the proxy for its addresses. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createProxyBypass, parseNoProxy, parseProxyUrl } from './proxy-settings.ts';

test.each([
  ['http://plain.example/', ['example'], true],
  ['http://plain.example/', ['.plain.example'], true],
  ['http://a.plain.example/', ['*.plain.example'], true],
  ['http://A.PLAIN.EXAMPLE./', ['plain.example'], true],
  ['http://notplain.example/', ['plain.example'], false],
  ['http://plain.example.evil/', ['plain.example'], false],
  ['http://plain.example:8080/', ['plain.example:8080'], true],
  ['http://plain.example/', ['plain.example:8080'], false],
  ['https://plain.example/', ['plain.example:443'], true],
  ['http://10.1.2.3/', ['10.0.0.0/8'], true],
  ['http://11.1.2.3/', ['10.0.0.0/8'], false],
  ['http://[fd00::1]/', ['fd00::/8'], true],
  ['http://192.0.2.1/', ['192.0.2.1'], true],
  ['http://1.2.3.4/', ['3.4'], false],
  ['http://plain.example/', ['*'], true],
  ['http://plain.example/', [], false],
  ['http://127.9.9.9/', [], true],
  ['http://[::1]/', [], true],
  ['http://localhost/', [], true],
  ['http://a.localhost./', [], true],
])('%s with NO_PROXY %j bypasses the proxy: %s', (url, noProxy, expected) => {
  expect(createProxyBypass(noProxy)(new URL(url))).toBe(expected);
});

test.each(['10.0.0.0/33', 'fd00::/129', 'a/8', 'a b', 'http://a', 'a,b', '@'])(
  '%j is no item of NO_PROXY',
  (item) => {
    expect(() => parseNoProxy(item)).toThrow(TypeError);
  },
);

test.each(['proxy:3128', 'socks5://proxy:1080', 'http://proxy/path', 'http://user:planted%zz@proxy', ''])(
  '%j is no proxy, and the fault is told without its password',
  (text) => {
    expect(() => parseProxyUrl(text)).toThrow(TypeError);
    expect(() => parseProxyUrl(text)).not.toThrow('planted');
  },
);
