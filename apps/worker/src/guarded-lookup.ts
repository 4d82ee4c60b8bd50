/**
 * Name look-up that asks the egress guard: a name's every address must be allowed, for any of them may be used. Node
 * calls it for names only: literals are for whoever connects to ask about.
 */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { EgressBlockedError, type EgressGuard } from './egress-guard.ts';

export function guardedLookup(guard: EgressGuard, resolve: typeof dns.lookup = dns.lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const blocked = addresses.find(({ address }) => !guard.allows(address));
      if (blocked !== undefined) return callback(new EgressBlockedError(blocked.address), '');
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      if (first === undefined)
        return callback(Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '');
      callback(null, first.address, first.family);
    });
  };
}
