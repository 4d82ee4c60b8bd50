/**
 * The key of a whole call, as the header Idempotency-Key gives it: what has no key of its own gets one that is made of it
 * and of its place in the call. So the same call, made again, is known again.
 */

/** `at`: in a call that holds several. */
export function keyAt(callKey: string | undefined, at?: number): string | undefined {
  return callKey === undefined || at === undefined ? callKey : `${callKey}/${at}`;
}

/** The value with the key in that field, if it is an object without one. */
export function withKey(value: unknown, field: string, key: string | undefined): unknown {
  if (key === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.hasOwn(value, field) ? value : { ...value, [field]: key };
}
