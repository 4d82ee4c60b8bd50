/**
 * How far two clocks of one machine may be apart in a test, in milliseconds. The product's processes take their time from
 * Redis, and know it as well as an answer is quick: on a busy machine that is no question of one millisecond.
 */
export const CLOCKS_DIFFER_MS = 500;
