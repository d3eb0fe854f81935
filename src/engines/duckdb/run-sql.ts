import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from './duckdb-engine.ts';
import type { DuckDbSession } from './duckdb-session.ts';
import { parquetSelect } from './parquet-select.ts';
import { parseSelect } from './parse-select.ts';
import { quoteLiteral } from './quote.ts';
import { parameterBindings, placeParameters } from './sql-parameters.ts';

/** Read by DuckDB in parallel by row group, so one file is as good as many, and keeps the order of the rows. */
const OUTPUT_FILE = 'part-0.parquet';
const PROGRESS_EVERY_MS = 1000;

export interface RunSqlRequest {
  /** One SELECT over inputs, with `${name}` parameters. */
  sql: string;
  parameters: Readonly<Record<string, ParameterValue>>;
  /** What it may read, by name; only what it does read is opened. */
  inputs: Readonly<Record<string, Dataset>>;
  /** Absolute, empty, ends with `/`. */
  outputFolder: string;
}

/**
 * Evaluates one SELECT and writes its rows as Parquet, in their order (spec section 3, SQL).
 *
 * @throws EngineError `ValidationError` when the SQL is anything else, names what is not there, or fails on its data
 */
export async function runSql(engine: DuckDbEngine, request: RunSqlRequest, context: EngineContext): Promise<Dataset> {
  const types = Object.fromEntries(Object.entries(request.parameters).map(([name, { type }]) => [name, type]));
  const placed = orFault(placeParameters(request.sql, types));
  const { tables } = orFault(await parseSelect(placed.sql));
  const inputs = inputsFor(tables, request.inputs);
  const bindings = parameterBindings(placed.names, request.parameters);
  const path = join(request.outputFolder, OUTPUT_FILE);

  const { signal } = context;
  const rows = await engine.withSession({ signal, inputs, writable: [path], watched: true }, async (session) => {
    const select = parquetSelect(placed, await session.describe(placed.sql));
    const stopWatching = watchProgress(session, context);
    try {
      // Only the file may be written, so not beside it first either; a broken one is never named by a result.
      const to = `${quoteLiteral(path)} (FORMAT parquet, USE_TMP_FILE false)`;
      const [copied] = await session.rows(`COPY (${select}) TO ${to}`, bindings);
      return Number(copied?.['Count']);
    } finally {
      stopWatching();
    }
  });
  context.progress(1);
  return { uri: pathToFileURL(request.outputFolder).href, rows, bytes: (await stat(path)).size };
}

function orFault<T extends object>(answer: T | { fault: string }): T {
  if ('fault' in answer) throw new EngineError('ValidationError', answer.fault);
  return answer;
}

/** Of the inputs those that the SQL names, under the names they have in the definition. */
function inputsFor(tables: readonly string[], inputs: Readonly<Record<string, Dataset>>): Record<string, Dataset> {
  const read = new Set(tables.map((table) => table.toLowerCase()));
  const used = Object.entries(inputs).filter(([name]) => read.delete(name.toLowerCase()));
  const [missing] = read;
  if (missing !== undefined) {
    const known = Object.keys(inputs).join(', ') || 'none';
    throw new EngineError('ValidationError', `there is no input named ${missing}; the inputs here are: ${known}`);
  }
  return Object.fromEntries(used);
}

/** DuckDB tells percent, and -1 while it does not know. */
function watchProgress(session: DuckDbSession, context: EngineContext): () => void {
  const timer = setInterval(() => {
    const { percentage } = session.connection.progress;
    if (percentage > 0) context.progress(Math.min(percentage / 100, 0.99));
  }, PROGRESS_EVERY_MS);
  return () => {
    clearInterval(timer);
  };
}
