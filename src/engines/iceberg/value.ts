/**
 * A single value of a primitive type, as this writer holds it:
 *
 * | Iceberg type | here |
 * |---|---|
 * | boolean | boolean |
 * | int, long | bigint |
 * | float, double | number |
 * | decimal | bigint, the unscaled value |
 * | date | bigint, days since 1970-01-01 |
 * | time | bigint, microseconds since midnight |
 * | timestamp, timestamptz | bigint, microseconds since 1970-01-01 |
 * | string | string |
 * | uuid, fixed, binary | Buffer |
 */
export type IcebergValue = boolean | bigint | number | string | Buffer;

/**
 * The order in which bounds are compared (Iceberg spec, "Manifests", lower and upper bounds): -0.0 before +0.0,
 * strings and bytes by their bytes, unsigned. Both values are of the same type; NaN has no place in it.
 */
export function compareValues(left: IcebergValue, right: IcebergValue): number {
  if (typeof left === 'string') return Buffer.compare(Buffer.from(left), Buffer.from(right as string));
  if (Buffer.isBuffer(left)) return Buffer.compare(left, right as Buffer);
  if (left < right) return -1;
  if (left > right) return 1;
  if (left !== 0) return 0;
  return Number(Object.is(right, -0)) - Number(Object.is(left, -0));
}
