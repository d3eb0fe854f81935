import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { QualityCheck } from '../../schemas/definition.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import type { CheckDialect } from './check-dialect.ts';
import { kindOfType, type ColumnKind } from './column-type.ts';
import type { JsonValue } from './quality-report.ts';

/** What a check's query found, as far as the check itself can say. */
export interface Verdict {
  passed: boolean;
  observed: JsonValue;
  failingRows: number;
  /** What is wrong, for a person; only read when it did not pass. */
  message: string;
}

/** A check made ready to be evaluated: what to ask DuckDB, and how to judge the answer. */
export interface CheckPlan {
  index: number;
  check: QualityCheck;
  expected: JsonValue;
  /**
   * `shared`: aggregates over the check's source, by names of this check's own; all such checks of one source are
   * evaluated in one scan. `own`: a query that answers one row.
   */
  query: { kind: 'shared'; aggregates: Readonly<Record<string, string>> } | { kind: 'own'; sql: string };
  /** Values that the query and the examples bind. */
  parameters: Readonly<Record<string, DuckDBValue>>;
  judge: (answer: Readonly<Record<string, unknown>>) => Verdict;
  /** Rows that fail; asked only when the check failed. */
  failingRowsSql?: string;
}

/** A column of an input. */
export interface Column {
  name: string;
  /** As DuckDB names it. */
  type: string;
  kind: ColumnKind;
}

/** Columns of every input, as DESCRIBE tells them. */
export type InputColumns = ReadonlyMap<string, readonly { name: string; type: string }[]>;

/** A fault of one check, named by its place in the document. */
export function checkFault(index: number, field: string, message: string): EngineError {
  return new EngineError('ValidationError', `definition.quality_checks.checks.${index}.${field}: ${message}`);
}

/** A question about a bound value: true, or an error of DuckDB, says that the value is wrong. */
export interface Probe {
  sql: string;
  /** The name of the bound value that it is about. */
  parameter: string;
  field: string;
  message: string;
}

/** One check together with the inputs it may read; finds columns, and says in the user's terms which one is missing. */
export class CheckScope {
  readonly index: number;
  readonly dialect: CheckDialect;
  readonly #inputs: InputColumns;
  #bound = 0;
  readonly parameters: Record<string, string> = {};
  /** What only DuckDB can say about the values of the document, asked before the data is read; whoever reads that. */
  readonly probes: Probe[] = [];

  constructor(index: number, inputs: InputColumns, dialect: CheckDialect) {
    this.index = index;
    this.#inputs = inputs;
    this.dialect = dialect;
  }

  /** SQL has no case in names, neither have checks. */
  column(source: string, name: string, field: string): Column {
    const columns = this.columnsOf(source, 'source');
    const found =
      columns.find((column) => column.name === name) ??
      columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
    if (found === undefined) {
      const known = columns.map((column) => column.name).slice(0, 30);
      throw this.fault(field, `${source} has no column ${name}; it has ${known.join(', ')}`);
    }
    return { ...found, kind: kindOfType(found.type) };
  }

  /** For a name in SQL, which has no case. */
  requireTable(name: string, field: string): void {
    const known = [...this.#inputs.keys()];
    if (!known.some((input) => input.toLowerCase() === name.toLowerCase())) throw this.#noSource(name, field);
  }

  columnsOf(source: string, field: string): readonly { name: string; type: string }[] {
    const columns = this.#inputs.get(source);
    if (columns === undefined) throw this.#noSource(source, field);
    return columns;
  }

  #noSource(name: string, field: string): EngineError {
    return this.fault(field, `there is no source ${name}; there are ${[...this.#inputs.keys()].join(', ')}`);
  }

  /** The name of a bound value: values never become part of the SQL. */
  bind(value: string): string {
    const name = `check_${this.index}_${this.#bound}`;
    this.#bound += 1;
    this.parameters[name] = value;
    return name;
  }

  fault(field: string, message: string): EngineError {
    return checkFault(this.index, field, message);
  }
}

export const sqlName = quoteIdentifier;

/** `1 row`, `2 rows`. */
export function countRows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`;
}
