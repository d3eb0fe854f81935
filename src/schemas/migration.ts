/**
 * The migration document (spec section 3, "A migration"): tables in several systems, and what is to change in each.
 * What depends on a table as it is (whether a column is there, what a type may become) is the engines' to say.
 */
import * as z from 'zod';
import { partitionField, type QualityCheck, qualityCheck, tableName } from './definition.ts';

const column = z.string().min(1).max(255);
const typeName = z.string().min(1).max(255);
const comment = z.string().max(10_000);
const sqlText = z.string().min(1);
/** A value of JSON; PostgreSQL gets it as a literal of the column's type. */
const defaultValue = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const addColumn = z.strictObject({
  op: z.literal('add_column'),
  column,
  type: typeName,
  default: defaultValue.optional(),
  comment: comment.optional(),
});
const dropColumn = z.strictObject({ op: z.literal('drop_column'), column });
const renameColumn = z.strictObject({ op: z.literal('rename_column'), column, to: column });
const retypeColumn = z.strictObject({
  op: z.literal('retype_column'),
  column,
  type: typeName,
  /** PostgreSQL: an SQL expression over the table's columns. */
  using: sqlText.optional(),
});
const setNullable = z.strictObject({ op: z.literal('set_nullable'), column });
const setRequired = z.strictObject({ op: z.literal('set_required'), column });
const setDefault = z.strictObject({ op: z.literal('set_default'), column, default: defaultValue });
const setComment = z.strictObject({ op: z.literal('set_comment'), column: column.optional(), comment });
const setPartitionBy = z.strictObject({ op: z.literal('set_partition_by'), partition_by: z.array(partitionField) });
const addIndex = z.strictObject({
  op: z.literal('add_index'),
  name: column,
  columns: z.array(column).min(1),
  unique: z.boolean().default(false),
});
const dropIndex = z.strictObject({ op: z.literal('drop_index'), name: column });
const addConstraint = z.strictObject({
  op: z.literal('add_constraint'),
  name: column,
  /** As it stands after CONSTRAINT name: `CHECK (delay > -1440)`, `UNIQUE (a, b)`, `FOREIGN KEY (a) REFERENCES t (b)`. */
  definition: sqlText,
});
const dropConstraint = z.strictObject({ op: z.literal('drop_constraint'), name: column });
const sqlChange = z.strictObject({ op: z.literal('sql'), sql: sqlText, undo: sqlText });

const columnChanges = [
  addColumn,
  dropColumn,
  renameColumn,
  retypeColumn,
  setNullable,
  setRequired,
  setDefault,
  setComment,
] as const;
/** What an Iceberg v2 table cannot do of these is a SchemaConflictError of its engine, not a fault of the document. */
const icebergChange = z.discriminatedUnion('op', [...columnChanges, setPartitionBy]);
const postgresChange = z.discriminatedUnion('op', [
  ...columnChanges,
  addIndex,
  dropIndex,
  addConstraint,
  dropConstraint,
  sqlChange,
]);

/** All kinds but `referential`: there is no second table. `source` is the target's table, and may be left out. */
const checks = z.array(z.discriminatedUnion('type', ownChecks())).max(100).default([]);
const icebergTarget = z.strictObject({
  type: z.literal('iceberg'),
  table: tableName,
  changes: z.array(icebergChange).min(1).max(100),
  checks,
});
const postgresTarget = z.strictObject({
  type: z.literal('postgres'),
  connection: z.string().min(1),
  /** `table` or `schema.table`. */
  table: z.string().min(1).max(127),
  changes: z.array(postgresChange).min(1).max(100),
  checks,
});

export const migrationDocument = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and -'),
  description: z.string().max(10_000).optional(),
  requires_approval: z.boolean().default(false),
  targets: z
    .array(z.discriminatedUnion('type', [icebergTarget, postgresTarget]))
    .min(1)
    .max(20),
});

/** The checks of a pipeline, of one table. */
function ownChecks() {
  const source = z.string().min(1).max(255).optional();
  const kinds = qualityCheck.options.filter((kind) => kind.shape.type.value !== 'referential');
  // Which keys the others have, `extend` keeps; the array's type does not.
  return kinds.map((kind) => kind.extend({ source })) as unknown as OwnCheckKinds;
}
type OwnCheck = z.ZodType<TableCheck> & (typeof qualityCheck.options)[number];
type OwnCheckKinds = readonly [OwnCheck, ...OwnCheck[]];
/** A check with the table's name left out, or as it stands in the target. */
type TableCheck = WithoutSource<Exclude<QualityCheck, { type: 'referential' }>> & {
  source?: string | undefined;
};
type WithoutSource<Check> = Check extends unknown ? Omit<Check, 'source'> : never;

export type MigrationDocument = z.output<typeof migrationDocument>;
export type MigrationTarget = MigrationDocument['targets'][number];
export type IcebergTarget = z.output<typeof icebergTarget>;
export type PostgresTarget = z.output<typeof postgresTarget>;
export type IcebergChange = z.output<typeof icebergChange>;
export type PostgresChange = z.output<typeof postgresChange>;
