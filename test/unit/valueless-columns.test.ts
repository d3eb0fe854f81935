/** A column in which no row has a value says nothing of its type: it passes the checks, and fits what it is loaded into. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/engines/dataset.ts';
import { loadToIceberg } from '../../src/engines/iceberg/load-to-iceberg.ts';
import { runChecks } from '../../src/engines/quality/run-checks.ts';
import { extractFile } from '../../src/engines/sources/file-source.ts';
import { qualityChecks } from '../../src/schemas/definition.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { Lake } from './iceberg/lake.ts';

let fixture: EngineFixture;
let lake: Lake;
beforeAll(async () => {
  [fixture, lake] = await Promise.all([EngineFixture.create(), Lake.open()]);
});
afterAll(() => Promise.all([fixture.dispose(), lake.close()]));

let files = 0;
async function extract(content: string, format: 'csv' | 'json' = 'csv'): Promise<Dataset> {
  files += 1;
  const path = join(fixture.folder, `${files}.${format}`);
  await writeFile(path, content);
  const roots = { roots: [fixture.folder], base: fixture.folder };
  const source = { type: 'file' as const, path, format };
  return extractFile(fixture.engine, { source, roots, outputFolder: await fixture.outputFolder() }, fixture.context);
}

const EMPTY_ROWS = 'id,v\n1,\n2,\n';
const ONLY_A_HEADER = 'id,v\n';
const NULLS = '{"id": 1, "v": null}\n{"id": 2, "v": null}\n';

describe.each([
  ['every row of a CSV is empty in it', EMPTY_ROWS, 'csv' as const],
  ['the CSV has only a header', ONLY_A_HEADER, 'csv' as const],
  ['every row of a JSON is null in it', NULLS, 'json' as const],
])('a column, when %s,', (_, content, format) => {
  const outcomes = async (...checks: object[]) => {
    const inputs = {
      s: await extract(content, format),
      numbers: await fixture.dataset('SELECT 1 AS n'),
      texts: await fixture.dataset("SELECT 'a' AS n"),
    };
    const parsed = qualityChecks.parse({ checks: checks.map((check) => ({ source: 's', ...check })) });
    const request = { checks: parsed.checks, minScore: 1, inputs, parameters: {} };
    return (await runChecks(fixture.engine, request, fixture.context)).checks.map(({ outcome }) => outcome);
  };

  test('passes the checks, whatever they compare it with', async () => {
    const checks = [
      { type: 'schema', columns: { v: 'bigint' } },
      ...[
        { type: 'range', min: 0, max: 10 },
        { type: 'range', min: '2001-01-01' },
        { type: 'accepted_values', values: [1, 2] },
        { type: 'accepted_values', values: ['a', true] },
        { type: 'regex', pattern: '^a$' },
        { type: 'referential', references: 'numbers.n' },
        { type: 'referential', references: 'texts.n' },
      ].map((check) => ({ column: 'v', ...check })),
    ];
    expect(await outcomes(...checks)).toEqual(checks.map(() => 'PASSED'));
  });

  test('passes a check of freshness as well', async () => {
    expect(await outcomes({ type: 'freshness', column: 'v', max_age: '1h' })).toEqual(['PASSED']);
  });

  test.each(['bigint', 'double', 'date', 'timestamptz', 'boolean', 'uuid', 'blob', 'decimal(9, 2)', 'integer[]'])(
    'fits a column of type %s of an existing table',
    async (type) => {
      const table = `valueless.t${files}`;
      await lake.load(table, `SELECT 1::BIGINT AS id, CAST(NULL AS ${type}) AS v`);
      const input = await extract(content, format);
      const request = { table, input, loadName: `${table}/out`, mergeKeys: [], partitionBy: [] };
      const loaded = await loadToIceberg(
        { ...request, mode: 'append', schemaEvolution: 'none' },
        { catalog: lake.catalog, duckdb: fixture.engine },
        fixture.context,
      );
      expect(loaded.rows).toBe(input.rows);
      const read = await lake.query(table, 'SELECT count(*)::INTEGER AS rows, count(v)::INTEGER AS filled FROM live');
      expect(read).toEqual([{ rows: 1 + input.rows, filled: 0 }]);
    },
  );
});

test('a column, when one row of many has a value in it, has the type of its values', async () => {
  const inputs = { s: await extract(`id,v\n${'1,\n'.repeat(5000)}2,x\n`) };
  const { checks } = qualityChecks.parse({ checks: [{ source: 's', column: 'v', type: 'range', max: 10 }] });
  await expect(
    runChecks(fixture.engine, { checks, minScore: 1, inputs, parameters: {} }, fixture.context),
  ).rejects.toMatchObject({ type: 'ValidationError' });
});
