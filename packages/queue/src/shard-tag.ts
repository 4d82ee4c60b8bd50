/**
 * The hash tag of a shard, chosen so that shards lie evenly over a Redis Cluster's slots. Numbers alone don't: of twelve
 * tags `hookfleet:0` to `hookfleet:11` eight would lie in one third of the slots, and their masters would be as busy.
 *
 * The shards' places are the digits of their number read backwards, as a fraction of all slots: thirds, then sixths,
 * then twelfths, and so on, from the place of shard 0. So three, six, twelve, 24 shards are the same number on each of
 * as many masters as divide them, where the masters' slots are as redis-cli gives them out; other numbers differ by one
 * at most. A place depends on the shard alone and never on how many there are: shards can be added.
 */

const SLOTS = 16_384;
// The first tells thirds, as a cluster begins with three masters.
const RADICES = [3, 2, 2, 2, 2, 2, 2];
/** The slots in as many parts: a shard's place is one of them, and any slot of it will do. */
const CELLS = RADICES.reduce((product, radix) => product * radix, 1);

const tags = new Map<string, string>();

/** Without braces. It ends with a colon and the shard's number; shard 0's is nothing but the prefix before it. */
export function shardTag(prefix: string, shard: number): string {
  const plain = `${prefix}:${shard}`;
  let tag = tags.get(plain);
  if (tag === undefined) {
    tag = shard === 0 ? plain : findTag(prefix, shard);
    tags.set(plain, tag);
  }
  return tag;
}

function findTag(prefix: string, shard: number): string {
  const cell = (cellOf(`${prefix}:0`) + cellsAway(shard)) % CELLS;
  for (let tries = 0; ; tries += 1) {
    const tag = `${prefix}:${tries.toString(36)}:${shard}`;
    if (cellOf(tag) === cell) return tag;
  }
}

/** The number's digits, read backwards. */
function cellsAway(shard: number): number {
  let rest = shard;
  let cells = 0;
  let unit = CELLS;
  for (const radix of RADICES) {
    unit /= radix;
    cells += (rest % radix) * unit;
    rest = Math.floor(rest / radix);
  }
  return cells;
}

function cellOf(tag: string): number {
  return Math.floor((slotOf(tag) * CELLS) / SLOTS);
}

/** The slot of a key with the tag: CRC16 (XMODEM) of its bytes, as the Redis Cluster specification says. */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    crc &= 0xffff;
  }
  return crc % SLOTS;
}
