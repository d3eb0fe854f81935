/** Which rows of a table a load replaces, as a condition in DuckDB's SQL on the model `t` and the rows `input`. */
import type { Lakehouse, Load, ModelledTable } from './lakehouse.ts';

/** The condition, or null when the load replaces nothing. */
export async function replacedRowsSql(
  load: Load,
  partitionBy: readonly string[],
  lakehouse: Lakehouse,
  table: ModelledTable,
): Promise<string | null> {
  if (load.interval !== undefined) {
    const { column, startIso, endIso } = load.interval;
    return `t."${column}" >= '${startIso.slice(0, 19)}' AND t."${column}" < '${endIso.slice(0, 19)}'`;
  }
  switch (load.mode ?? 'append') {
    case 'append':
      return null;
    case 'overwrite':
      return 'true';
    case 'merge': {
      const keys = (load.mergeKeys ?? []).map((key) => `t."${key}" = i."${key}"`);
      return `EXISTS (FROM input AS i WHERE ${keys.join(' AND ')})`;
    }
    case 'overwrite_partition': {
      const same: string[] = [];
      for (const field of partitionBy) {
        const [ofTable, ofInput] = await partitionSql(field, lakehouse, table);
        same.push(`${ofTable} IS NOT DISTINCT FROM ${ofInput}`);
      }
      return `EXISTS (FROM input AS i WHERE ${same.length === 0 ? 'true' : same.join(' AND ')})`;
    }
  }
}

/** A partition value of `t` and of `i` in SQL. */
async function partitionSql(field: string, lakehouse: Lakehouse, table: ModelledTable): Promise<[string, string]> {
  const { transform, column } = parsePartition(field);
  const bucket = /^bucket\[(\d+)\]$/.exec(transform);
  if (bucket !== null) {
    // DuckDB has no Murmur3: pyiceberg says which value falls into which bucket.
    const values = `SELECT DISTINCT v FROM (SELECT "${column}" AS v FROM ${table.model} UNION ALL SELECT "${column}" FROM input)`;
    await lakehouse.model.run(`CREATE OR REPLACE TEMP TABLE bucketed AS ${values} ORDER BY v`);
    const parquet = await lakehouse.parquet(`SELECT v AS "${column}" FROM bucketed ORDER BY rowid`);
    const buckets = await lakehouse.judge.transformed(table.name, parquet, column, transform);
    const list = buckets.map((each) => each ?? 'NULL').join(', ');
    const bucketOf = (row: string): string =>
      `(SELECT ([${list}]::INTEGER[])[b.rowid + 1] FROM bucketed AS b WHERE b.v IS NOT DISTINCT FROM ${row}."${column}")`;
    return [bucketOf('t'), bucketOf('i')];
  }
  const typed = await lakehouse.model.runAndReadAll(`SELECT any_value(typeof("${column}")) FROM input`);
  const type = String(typed.getRows()[0]?.[0]);
  return [transformSql(transform, `t."${column}"`, type), transformSql(transform, `i."${column}"`, type)];
}

/** `day(d)` → `day`, `d`; `truncate(4, s)` → `truncate[4]`, `s`; `c` → `identity`, `c`. */
function parsePartition(field: string): { transform: string; column: string } {
  const call = /^(\w+)\((?:(\d+),\s*)?([^()]+)\)$/.exec(field);
  if (call === null) return { transform: 'identity', column: field };
  const [, name = '', width, column = ''] = call;
  return { transform: width === undefined ? name : `${name}[${width}]`, column };
}

/** A value that is the same for two source values just when Iceberg's partition value is. */
function transformSql(transform: string, value: string, type: string): string {
  const width = /^truncate\[(\d+)\]$/.exec(transform)?.[1];
  if (width === undefined) return transform === 'identity' ? value : `date_trunc('${transform}', ${value})`;
  if (type === 'VARCHAR') return `left(${value}, ${width})`;
  if (type === 'BLOB') return `left(hex(${value}), 2 * ${width})`;
  // Decimals are truncated in their unscaled digits; the result is never above the value.
  const unscaled = `replace(${value}::VARCHAR, '.', '')::HUGEINT`;
  return `(${unscaled} - (((${unscaled} % ${width}) + ${width}) % ${width}))`;
}
