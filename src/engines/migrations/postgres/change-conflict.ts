import pg from 'pg';
import { EngineError, messageOf } from '../../../errors.ts';

/** Of these the same statement may go through later; everything else of theirs that concerns a change is final. */
const PASSING_CODES = new Set(['55P03', '40P01', '40001', '57014', '57P01', '57P02', '57P03']);
const FINAL_CLASSES = new Set(['0A', '22', '23', '2B', '3F', '42', '44', '54', '55', 'P0', '2F', '38', '39']);

/**
 * What a change fails with: a `SchemaConflictError` that names it for what the server will refuse again, else what was
 * thrown.
 */
export function changeConflict(where: string, thrown: unknown): unknown {
  if (!(thrown instanceof pg.DatabaseError) || !isFinal(thrown.code ?? '')) return thrown;
  const detail = thrown.code?.startsWith('2B') === true ? ` (${thrown.detail ?? ''})` : '';
  return new EngineError('SchemaConflictError', `${where}: ${messageOf(thrown)}${detail}`, { cause: thrown });
}

function isFinal(code: string): boolean {
  return code !== '42501' && !PASSING_CODES.has(code) && FINAL_CLASSES.has(code.slice(0, 2));
}

/** Somebody else held the lock for longer than this may wait. */
export function isLockTrouble(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && (thrown.code === '55P03' || thrown.code === '40P01');
}
