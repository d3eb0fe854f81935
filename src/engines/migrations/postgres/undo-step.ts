import type { ShapeColumn } from './table-shape.ts';

/** How one change is undone; JSON, since it waits in the ledger. The order matters: the last one is undone first. */
export type UndoStep = { at: number; op: string } & (
  | { kind: 'drop_column'; column: string }
  | { kind: 'unhide_column'; hidden: string; column: ShapeColumn; requiredDropped: boolean }
  | { kind: 'rename_column'; from: string; to: string }
  /** `old` and `copy` hold each row's value before, and what it was made to; null where the type alone can tell. */
  | { kind: 'retype_column'; column: ShapeColumn; type: string; old: string | null; copy: string | null }
  | { kind: 'set_required'; column: string; requiredBy: string | null }
  | { kind: 'set_nullable'; column: string }
  | { kind: 'set_default'; column: string; default: string | null }
  | { kind: 'set_comment'; column: string | null; comment: string | null }
  | { kind: 'drop_index'; name: string }
  | { kind: 'unhide_index'; hidden: string; name: string }
  | { kind: 'create_index'; name: string; definition: string; comment: string | null }
  | { kind: 'drop_constraint'; name: string }
  | { kind: 'create_constraint'; name: string; definition: string; comment: string | null }
  | { kind: 'sql'; sql: string }
);
/** Without the change that it belongs to. */
export type UndoOf = UndoStep extends infer Step ? (Step extends UndoStep ? Omit<Step, 'at' | 'op'> : never) : never;
