import { quoteIdentifier } from '../../duckdb/quote.ts';
import type { ChangeContext } from './change-table.ts';
import { refuseMarked, type ShapeColumn, type TableShape } from './table-shape.ts';
import type { UndoOf } from './undo-step.ts';

/**
 * Dropped as far as anyone can tell: the column gets another name and keeps its values and its place. What would still be
 * felt of it, or refuse rows that no longer give it a value, is dropped now and made again by the undo. A default stays,
 * so that rows of the meantime have, after a restore, what they would have had.
 */
export async function dropColumn(
  { client, table }: ChangeContext,
  column: ShapeColumn,
  shape: TableShape,
  hidden: string,
): Promise<UndoOf[]> {
  const alter = (what: string) => client.query(`ALTER TABLE ${table.sql} ${what}`);
  const undo: UndoOf[] = [];
  const ofColumn = shape.indexes.filter(({ columns }) => columns.includes(column.number));
  refuseMarked(ofColumn.filter(({ constraint, plain, unique }) => constraint !== null || !plain || unique));
  for (const { name, definition, comment, columns } of shape.constraints) {
    if (!columns.includes(column.number)) continue;
    await alter(`DROP CONSTRAINT ${quoteIdentifier(name)}`);
    undo.push({ kind: 'create_constraint', name, definition, comment });
  }
  for (const { name, definition, comment, columns, constraint, unique, plain } of shape.indexes) {
    if (!columns.includes(column.number) || constraint !== null || (plain && !unique)) continue;
    await client.query(`DROP INDEX ${quoteIdentifier(table.schema)}.${quoteIdentifier(name)}`);
    undo.push({ kind: 'create_index', name, definition, comment });
  }
  const fillsItself = column.default !== null || column.identity !== '' || column.generated !== '';
  const requiredDropped = column.required && !fillsItself;
  if (requiredDropped) await alter(`ALTER COLUMN ${quoteIdentifier(column.name)} DROP NOT NULL`);
  await alter(`RENAME COLUMN ${quoteIdentifier(column.name)} TO ${quoteIdentifier(hidden)}`);
  undo.push({ kind: 'unhide_column', hidden, column, requiredDropped });
  return undo;
}
