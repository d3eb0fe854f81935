/**
 * A migration's changes, one after the other, on a table's schema and spec: Iceberg spec, "Schema Evolution" and
 * "Partition Evolution" for format version 2.
 */
import { EngineError } from '../../../errors.ts';
import type { IcebergChange } from '../../../schemas/migration.ts';
import type { PartitionSpec } from '../../iceberg/partition-spec.ts';
import { isPrimitive, type NestedField, type Schema } from '../../iceberg/schema.ts';
import { currentSchema, defaultSpec, type TableMetadata } from '../../iceberg/table-metadata.ts';
import { commentOf } from './migration-marker.ts';
import { evolveSpec } from './evolve-spec.ts';
import { canonicalType, refuseNarrowing } from './promotion.ts';

export interface EvolvedTable {
  fields: NestedField[];
  lastColumnId: number;
  spec: PartitionSpec;
  comment: string | null;
  /** Ids of columns that were dropped, renamed, retyped or made required. */
  touched: Set<number>;
}

/** @throws EngineError `SchemaConflictError` that names the change */
export function evolveTable(metadata: TableMetadata, changes: readonly IcebergChange[]): EvolvedTable {
  const evolution = new Evolution(metadata);
  for (const [at, change] of changes.entries()) {
    try {
      evolution.apply(change);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const message = `changes.${at} (${change.op}): ${error.message}`;
      throw new EngineError('SchemaConflictError', message, { cause: error });
    }
  }
  return evolution.evolved;
}

class Evolution {
  readonly #metadata: TableMetadata;
  readonly #schema: Schema;
  readonly evolved: EvolvedTable;

  constructor(metadata: TableMetadata) {
    this.#metadata = metadata;
    this.#schema = currentSchema(metadata);
    this.evolved = {
      fields: [...this.#schema.fields],
      lastColumnId: metadata['last-column-id'],
      spec: defaultSpec(metadata),
      comment: commentOf(metadata),
      touched: new Set(),
    };
  }

  apply(change: IcebergChange): void {
    switch (change.op) {
      case 'add_column':
        this.#add(change);
        return;
      case 'drop_column':
        this.#drop(this.#find(change.column));
        return;
      case 'rename_column': {
        const field = this.#find(change.column);
        this.#refuseName(change.to, field);
        this.#replace(field, { ...field, name: change.to });
        return;
      }
      case 'retype_column': {
        if (change.using !== undefined) throw conflict('using is of PostgreSQL; types of Iceberg are only widened');
        const field = this.#find(change.column);
        if (!isPrimitive(field.type)) throw conflict(`${field.name} is a ${field.type.type}, whose type stays`);
        refuseNarrowing(field.name, field.type, canonicalType(change.type));
        this.#replace(field, { ...field, type: canonicalType(change.type) });
        return;
      }
      case 'set_nullable': {
        const field = this.#find(change.column);
        if (this.#schema['identifier-field-ids']?.includes(field.id) === true) {
          throw conflict(`${field.name} identifies the rows of the table, so it is required`);
        }
        this.#replace(field, { ...field, required: false }, false);
        return;
      }
      case 'set_required':
        throw conflict('Iceberg v2 cannot make a column required: rows that are there may have no value');
      case 'set_default':
        throw conflict('columns of Iceberg v2 have no defaults');
      case 'set_comment':
        this.#comment(change.column, change.comment);
        return;
      case 'set_partition_by':
        this.evolved.spec = evolveSpec(change.partition_by, this.#metadata, this.evolved);
        this.#refuseNewSource(this.evolved.spec);
    }
  }

  /** A spec stays in the table when a migration is put back, and engines fail at one whose column is gone. */
  #refuseNewSource({ fields }: PartitionSpec): void {
    const known = this.#metadata['last-column-id'];
    const column = this.evolved.fields.find(
      ({ id }) => id > known && fields.some((field) => field['source-id'] === id),
    );
    if (column === undefined) return;
    throw conflict(
      `${column.name} is added by this migration; partition by it in another one, when that has completed`,
    );
  }

  #add({ column, type, default: value, comment }: IcebergChange & { op: 'add_column' }): void {
    if (value !== undefined) throw conflict('columns of Iceberg v2 have no defaults');
    if (canonicalType(type) === 'time') throw conflict('Spark reads no time of day, and no table that has one');
    this.#refuseName(column);
    const evolved = this.evolved;
    evolved.lastColumnId += 1;
    const field = { id: evolved.lastColumnId, name: column, required: false, type: canonicalType(type) };
    evolved.fields.push({ ...field, ...(comment !== undefined && { doc: comment }) });
  }

  #drop(field: NestedField): void {
    const isSource = ({ fields }: PartitionSpec): boolean =>
      fields.some((one) => one['source-id'] === field.id && one.transform !== 'void');
    if (isSource(this.evolved.spec)) throw conflict(`the table is partitioned by ${field.name}`);
    if (this.#metadata['partition-specs'].some(isSource)) {
      throw conflict(`the table was partitioned by ${field.name}; its older files cannot be read without it`);
    }
    const order = this.#metadata['sort-orders'].find(
      (one) => one['order-id'] === this.#metadata['default-sort-order-id'],
    );
    if (order?.fields.some((one) => (one as { 'source-id': number })['source-id'] === field.id) === true) {
      throw conflict(`the table is sorted by ${field.name}`);
    }
    if (this.#schema['identifier-field-ids']?.includes(field.id) === true) {
      throw conflict(`${field.name} identifies the rows of the table`);
    }
    if (this.evolved.fields.length === 1) throw conflict(`${field.name} is the only column`);
    this.evolved.fields = this.evolved.fields.filter(({ id }) => id !== field.id);
    this.evolved.touched.add(field.id);
  }

  #comment(column: string | undefined, comment: string): void {
    if (column === undefined) {
      this.evolved.comment = comment;
      return;
    }
    const field = this.#find(column);
    const { doc: _, ...bare } = field;
    this.#replace(field, comment === '' ? bare : { ...bare, doc: comment }, false);
  }

  #find(name: string): NestedField {
    const found = this.evolved.fields.find((field) => field.name === name);
    if (found !== undefined) return found;
    const hint = name.includes('.') ? '; fields inside a struct are not migrated' : '';
    throw conflict(`the table has no column ${name}${hint}`);
  }

  #replace(field: NestedField, by: NestedField, touches = true): void {
    this.evolved.fields = this.evolved.fields.map((one) => (one.id === field.id ? by : one));
    if (touches) this.evolved.touched.add(field.id);
  }

  /** Engines find columns and partitions by names, most of them whatever their case. */
  #refuseName(name: string, renamed?: NestedField): void {
    if (name.includes('.')) throw conflict(`${name}: fields inside a struct are not migrated`);
    const taken = this.evolved.fields.find(
      (field) => field.id !== renamed?.id && field.name.toLowerCase() === name.toLowerCase(),
    );
    if (taken !== undefined) throw conflict(`the table has a column ${taken.name} already`);
    const partition = this.#metadata['partition-specs']
      .flatMap(({ fields }) => fields)
      .find((field) => field.name.toLowerCase() === name.toLowerCase());
    const isItsOwn = partition?.transform === 'identity' && partition['source-id'] === renamed?.id;
    if (partition !== undefined && !isItsOwn) throw conflict(`a partition field of the table is called ${name}`);
  }
}

function conflict(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
