/**
 * What every answer tells a browser that may have come by it: to take it for nothing but what it says it is, to run
 * and frame nothing of it, and to keep what lies below /v1 out of its cache. The page's own answers say more, and
 * theirs stand.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** For answers that are made for one caller. */
export const PRIVATE_HEADERS: Readonly<Record<string, string>> = { 'cache-control': 'no-store' };
