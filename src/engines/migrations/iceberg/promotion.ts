import { EngineError } from '../../../errors.ts';
import { parsePrimitive, type PrimitiveType } from '../../iceberg/schema.ts';

/**
 * A primitive type as metadata writes it.
 *
 * @throws EngineError `SchemaConflictError`
 */
export function canonicalType(type: string): PrimitiveType {
  const text = type.trim().toLowerCase();
  try {
    const primitive = parsePrimitive(text);
    if (primitive.kind === 'fixed') return `fixed[${primitive.length}]`;
    if (primitive.kind !== 'decimal') return primitive.kind;
    const { precision, scale } = primitive;
    if (precision < 1 || precision > 38 || scale > precision) throw new EngineError('UnsupportedError', '');
    return `decimal(${precision}, ${scale})`;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const expected =
      'boolean, int, long, float, double, decimal(p, s), date, time, timestamp, timestamptz, string, uuid';
    throw new EngineError('SchemaConflictError', `there is no type ${type}; expected ${expected}, binary or fixed[n]`, {
      cause: error,
    });
  }
}

/** @throws EngineError `SchemaConflictError` unless every value of the one type is one of the other: spec, "Schema Evolution" */
export function refuseNarrowing(column: string, from: PrimitiveType, to: PrimitiveType): void {
  const [narrow, wide] = [parsePrimitive(from), parsePrimitive(to)];
  const widens =
    narrow.kind === 'decimal' && wide.kind === 'decimal'
      ? wide.scale === narrow.scale && wide.precision >= narrow.precision
      : (narrow.kind === 'int' && wide.kind === 'long') || (narrow.kind === 'float' && wide.kind === 'double');
  if (widens || canonicalType(from) === to) return;
  throw new EngineError(
    'SchemaConflictError',
    `${column} is ${from}; Iceberg makes int long, float double and decimals longer, and no ${to} of it`,
  );
}
