import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readTable } from '../../../scripts/read-table.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import type { Subject } from './subject.ts';

export function exampleSuite(subjectOf: () => Subject): void {
  test('the example for Flink, when it runs as it is, makes its table', async () => {
    const { service } = subjectOf();
    const parsed = parseDocument(await readFile('examples/flink/strikes-by-state.yaml', 'utf8'), 'yaml');
    if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
    await service.register(parsed.value as object);
    const { workflowId } = await service.execute('strikes-by-state-in-flink');
    expect(await service.ended(workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
    const select = 'select state, strikes, cost from t order by strikes desc';
    const rows = await readTable(service.dataDir, 'wildlife.strikes_by_state_in_flink', 't', select);
    expect(rows.reduce((sum, { strikes }) => sum + Number(strikes), 0)).toBe(10_000);
    expect(new Set(rows.map(({ state }) => state)).size).toBe(rows.length);
  });
}
