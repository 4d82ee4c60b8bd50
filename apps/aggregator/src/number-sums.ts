/**
 * Sums of custom events' numbers, exact and the same in whatever order events are counted: a floating-point sum would
 * depend on it, and Redis' HINCRBYFLOAT on the machine's long double too. A number counts in millionths, as a whole
 * number; a sum of those outgrows the 53 bits of a Lua number, so it is kept as two limbs:
 *
 *     millionths = high × 10^15 + low        0 ≤ low < 10^15, high may be negative
 *
 * Both stay whole numbers that a double holds exactly for a billion events of the largest number that is accepted
 * (2^53 - 1). In Redis: "<count> <high> <low> <least> <greatest>", a field per event and property.
 */
export const LIMB = 1_000_000_000_000_000;

const LIMB_BIG = BigInt(LIMB);
const MILLION = 1_000_000n;

export interface Limbs {
  readonly high: number;
  readonly low: number;
}

export interface NumbersSummary {
  readonly count: number;
  readonly sum: number;
  readonly average: number;
  readonly min: number;
  readonly max: number;
}

/** To the nearest millionth, halves away from zero: a value and its negative add up to 0. */
export function toLimbs(value: number): Limbs {
  const millionths = toMillionths(value);
  const low = ((millionths % LIMB_BIG) + LIMB_BIG) % LIMB_BIG;
  return { high: Number((millionths - low) / LIMB_BIG), low: Number(low) };
}

/** The number that is counted for a value. */
export function rounded(value: number): number {
  return fromMillionths(toMillionths(value));
}

/** Undefined for a text that is none. */
export function parseSummary(text: string): NumbersSummary | undefined {
  const [, count, high = '', low = '', minText, maxText] = SUMMARY.exec(text) ?? [];
  const [min, max] = [Number(minText), Number(maxText)];
  if (count === undefined || !Number.isFinite(min) || !Number.isFinite(max)) return undefined;
  const sum = fromMillionths(BigInt(high) * LIMB_BIG + BigInt(low));
  return { count: Number(count), sum, average: sum / Number(count), min, max };
}

// Of many: what anybody has written may be long.
const SUMMARY = /^(\d{1,15}) (-?\d{1,30}) (-?\d{1,30}) (\S{1,30}) (\S{1,30})$/;

function toMillionths(value: number): bigint {
  // Apart: of a large number multiplied by a million the fraction would be lost.
  const whole = Math.trunc(value);
  const fraction = (value - whole) * 1_000_000;
  return BigInt(whole) * MILLION + BigInt(Math.sign(fraction) * Math.round(Math.abs(fraction)));
}

/** The nearest double: by its decimal digits, for a division would round twice. */
function fromMillionths(millionths: bigint): number {
  const digits = (millionths < 0n ? -millionths : millionths).toString().padStart(7, '0');
  const value = Number(`${digits.slice(0, -6)}.${digits.slice(-6)}`);
  return millionths < 0n ? -value : value;
}
