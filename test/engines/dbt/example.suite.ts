import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readTable } from '../../../scripts/read-table.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import type { Subject } from './subject.ts';

export function exampleSuite(subjectOf: () => Subject): void {
  test('the example for dbt, when it runs as it is, makes its table', async () => {
    const { service } = subjectOf();
    const parsed = parseDocument(await readFile('examples/dbt/strikes-by-size.yaml', 'utf8'), 'yaml');
    if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
    await service.register(parsed.value as object);
    const { workflowId } = await service.execute('strikes-by-size');
    expect(await service.ended(workflowId, 60_000), service.log()).toMatchObject({ status: 'COMPLETED' });
    const select = 'select size, strikes from t order by strikes';
    const rows = await readTable(service.dataDir, 'wildlife.strikes_by_size', 't', select);
    expect(rows.map(({ size }) => size)).toEqual(['Large', 'Medium', 'Small']);
    expect(rows.reduce((sum, { strikes }) => sum + Number(strikes), 0)).toBe(10_000);
  });
}
