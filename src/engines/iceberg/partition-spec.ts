/**
 * Partition specs: Iceberg spec, "Partitioning" and Appendix C ("Partition Specs"), from the way pipelines write them
 * (`day(d)`, `bucket(16, id)`) to the way table metadata holds them.
 */
import { EngineError } from '../../errors.ts';
import { fieldById, isPrimitive, parsePrimitive, type PrimitiveType, type StructType } from './schema.ts';

interface PartitionField {
  'source-id': number;
  'field-id': number;
  name: string;
  /** `identity`, `bucket[16]`, `truncate[4]`, `year`, `month`, `day`, `hour`, `void` */
  transform: string;
}

export interface PartitionSpec {
  'spec-id': number;
  fields: PartitionField[];
}

export type Transform =
  { kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'void' } | { kind: 'bucket' | 'truncate'; width: number };

/** Ids of partition fields start here, as every writer numbers them. */
const FIRST_FIELD_ID = 1000;
const TEMPORAL = ['year', 'month', 'day', 'hour'];
const NAME_SUFFIX = { bucket: 'bucket', truncate: 'trunc', year: 'year', month: 'month', day: 'day', hour: 'hour' };

const SOURCE_KINDS: Record<Exclude<Transform['kind'], 'void'>, readonly string[]> = {
  // The spec allows identity of float, double and uuid too. NaN and the two zeros make the first two a trap; uuids are
  // ordered differently by Java and by the spec, so that Spark and pyiceberg skip partitions that they must read.
  identity: ['boolean', 'int', 'long', 'decimal', 'date', 'time', 'timestamp', 'timestamptz', 'string', 'binary'],
  bucket: ['int', 'long', 'decimal', 'date', 'time', 'timestamp', 'timestamptz', 'string', 'uuid', 'binary'],
  truncate: ['int', 'long', 'decimal', 'string', 'binary'],
  year: ['date', 'timestamp', 'timestamptz'],
  month: ['date', 'timestamp', 'timestamptz'],
  day: ['date', 'timestamp', 'timestamptz'],
  hour: ['timestamp', 'timestamptz'],
};

/** @throws EngineError `UnsupportedError` for a transform that this writer does not know */
export function parseTransform(text: string): Transform {
  const sized = /^(bucket|truncate)\[(\d+)\]$/.exec(text);
  if (sized) return { kind: sized[1] === 'bucket' ? 'bucket' : 'truncate', width: Number(sized[2]) };
  switch (text) {
    case 'identity':
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
    case 'void':
      return { kind: text };
    default:
      throw new EngineError('UnsupportedError', `the partition transform ${text} is not supported`);
  }
}

/** The type of a partition value: spec, "Partition Transforms", result types; `day` is a date, as all engines have it. */
export function resultType(transform: Transform, source: PrimitiveType): PrimitiveType {
  switch (transform.kind) {
    case 'identity':
    case 'truncate':
    case 'void':
      return source;
    case 'day':
      return 'date';
    case 'bucket':
    case 'year':
    case 'month':
    case 'hour':
      return 'int';
  }
}

/** A partition field with what is needed to read and to write its values in manifests. */
export interface PartitionValueField {
  fieldId: number;
  sourceId: number;
  name: string;
  transform: Transform;
  resultType: PrimitiveType;
}

/** A partition field of which the values are computed from rows. */
export interface BoundPartitionField extends PartitionValueField {
  source: { name: string; type: PrimitiveType };
}

/** @throws EngineError `UnsupportedError` when a source lies inside a struct, or its type has no such transform */
export function bindSpec(spec: PartitionSpec, schema: StructType): BoundPartitionField[] {
  return spec.fields.map((field): BoundPartitionField => {
    const source = fieldById(schema, field['source-id']);
    const transform = parseTransform(field.transform);
    const { name } = field;
    const ids = { fieldId: field['field-id'], sourceId: field['source-id'] };
    // A field that was dropped in a table of version 1; the column that it was made from may be gone.
    if (transform.kind === 'void') return { ...ids, name, transform, source: { name, type: 'int' }, resultType: 'int' };
    if (source === undefined || !isPrimitive(source.type)) {
      throw new EngineError('UnsupportedError', `the partition field ${field.name} is not made from a plain column`);
    }
    checkSource(transform, source.type, source.name);
    return {
      ...ids,
      name,
      transform,
      source: { name: source.name, type: source.type },
      resultType: resultType(transform, source.type),
    };
  });
}

/**
 * The spec of a new table.
 *
 * @param partitionBy as in a pipeline: `col`, `day(col)`, `bucket(16, col)`
 * @throws EngineError `SchemaConflictError` for a column that the rows lack; `ValidationError` for a transform that the
 *   column's type has not, and for two that say the same
 */
export function newSpec(partitionBy: readonly string[], schema: StructType): PartitionSpec {
  const fields: PartitionField[] = [];
  for (const [at, text] of partitionBy.entries()) {
    const { transform, column } = parsePartitionBy(text);
    const source = schema.fields.find((field) => field.name === column);
    if (source === undefined) {
      throw new EngineError('SchemaConflictError', `partition_by names ${column}, which the rows do not have`);
    }
    const parsed = parseTransform(transform);
    if (!isPrimitive(source.type))
      throw new EngineError('ValidationError', `partition_by: ${column} is no plain column`);
    checkSource(parsed, source.type, column);
    const twin = fields.find((field) => field['source-id'] === source.id && sameQuestion(field.transform, transform));
    if (twin !== undefined) throw new EngineError('ValidationError', `partition_by: ${text} repeats ${twin.name}`);
    const name = freeName(parsed, column, schema, fields);
    fields.push({ 'source-id': source.id, 'field-id': FIRST_FIELD_ID + at, name, transform });
  }
  return { 'spec-id': 0, fields };
}

/**
 * Whether the table is partitioned as a pipeline asks. A pipeline that says nothing agrees with everything.
 *
 * @throws EngineError `SchemaConflictError` that tells both
 */
export function checkSpecAgrees(partitionBy: readonly string[], spec: PartitionSpec, schema: StructType): void {
  if (partitionBy.length === 0) return;
  const live = spec.fields.filter((field) => field.transform !== 'void');
  const asked = partitionBy.map(parsePartitionBy).map(({ column, transform }) => describe(column, transform));
  const has = live.map((field) => describe(fieldById(schema, field['source-id'])?.name ?? '?', field.transform));
  if (asked.join() !== has.join()) {
    throw new EngineError(
      'SchemaConflictError',
      `the table is partitioned by [${has.join(', ')}], the pipeline asks for [${asked.join(', ')}]`,
    );
  }
}

/** The highest id of any partition field, for metadata's `last-partition-id`. */
export function lastPartitionId(specs: readonly PartitionSpec[]): number {
  return Math.max(FIRST_FIELD_ID - 1, ...specs.flatMap((spec) => spec.fields.map((field) => field['field-id'])));
}

function parsePartitionBy(text: string): { transform: string; column: string } {
  const sized = /^\s*(bucket|truncate)\(\s*(\d+)\s*,([^(),]+)\)\s*$/.exec(text);
  if (sized) return { transform: `${sized[1] ?? ''}[${Number(sized[2])}]`, column: (sized[3] ?? '').trim() };
  const temporal = /^\s*(year|month|day|hour)\(([^(),]+)\)\s*$/.exec(text);
  if (temporal) return { transform: temporal[1] ?? '', column: (temporal[2] ?? '').trim() };
  return { transform: 'identity', column: text.trim() };
}

function describe(column: string, transform: string): string {
  const sized = /^(\w+)\[(\d+)\]$/.exec(transform);
  if (sized) return `${sized[1] ?? ''}(${sized[2] ?? ''}, ${column})`;
  return transform === 'identity' ? column : `${transform}(${column})`;
}

function checkSource(transform: Transform, type: PrimitiveType, column: string): void {
  if (transform.kind === 'void') return;
  if (!SOURCE_KINDS[transform.kind].includes(parsePrimitive(type).kind)) {
    throw new EngineError(
      'ValidationError',
      `partitioning: ${transform.kind} of ${column} is not possible, it is ${type}`,
    );
  }
  if ('width' in transform && transform.width < 1) {
    throw new EngineError('ValidationError', `partitioning: ${transform.kind} of ${column} needs a size above 0`);
  }
}

/** Two parts of one time (its month and its day), or the same transform twice: Iceberg's own builders refuse both. */
function sameQuestion(one: string, other: string): boolean {
  return one === other || (TEMPORAL.includes(one) && TEMPORAL.includes(other));
}

/** `d_day`, `id_bucket`: as Spark names them; numbered when a column or another field has that name already. */
function freeName(transform: Transform, column: string, schema: StructType, others: PartitionField[]): string {
  if (transform.kind === 'identity' || transform.kind === 'void') return column;
  const taken = new Set([...schema.fields, ...others].map((field) => field.name.toLowerCase()));
  const wanted = `${column}_${NAME_SUFFIX[transform.kind]}`;
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}
