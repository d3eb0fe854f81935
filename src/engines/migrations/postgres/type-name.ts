import type pg from 'pg';
import { EngineError } from '../../../errors.ts';

/**
 * Lets the server read a type's name, arrays and modifiers included, before it becomes part of a statement.
 *
 * @throws EngineError `SchemaConflictError`
 */
export async function checkTypeName(client: pg.Client, type: string): Promise<void> {
  const { rows } = await client.query<{ known: boolean }>('SELECT to_regtype($1) IS NOT NULL AS known', [type]);
  if (rows[0]?.known !== true || type.includes('--') || type.includes('/*')) {
    const hint = /serial/i.test(type) ? '; serial is none, add a column with a default' : '';
    throw new EngineError('SchemaConflictError', `there is no type ${type}${hint}`);
  }
}
