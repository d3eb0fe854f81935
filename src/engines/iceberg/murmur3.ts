/**
 * 32-bit Murmur3 hash, x86 variant, seeded with 0, and what is hashed of each type: Iceberg spec, Appendix B. Bucket
 * partitions of every engine depend on it.
 */
export function murmur3(bytes: Uint8Array): number {
  let hash = 0;
  const blocksEnd = bytes.length & ~3;
  for (let at = 0; at < blocksEnd; at += 4) {
    hash ^= mixBlock(byteAt(bytes, at, 0) | byteAt(bytes, at, 1) | byteAt(bytes, at, 2) | byteAt(bytes, at, 3));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  if (blocksEnd < bytes.length) {
    let tail = 0;
    for (let at = bytes.length - 1; at >= blocksEnd; at--) tail = (tail << 8) | (bytes[at] ?? 0);
    hash ^= mixBlock(tail);
  }
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** int, long, date, time and timestamps: eight bytes, little-endian, so that an int hashes as the long it may become. */
export function murmur3OfLong(value: bigint): number {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, value, true);
  return murmur3(new Uint8Array(bytes.buffer));
}

function byteAt(bytes: Uint8Array, at: number, offset: number): number {
  return (bytes[at + offset] ?? 0) << (8 * offset);
}

function mixBlock(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
