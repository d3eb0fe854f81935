/** The example of `compute: spark`, as its reader runs it. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { readTable } from '../../../scripts/read-table.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import type { Subject } from './subject.ts';

export function exampleSuite(subject: () => Subject): void {
  describe('the example of compute: spark', () => {
    test('when it runs, counts all bird strikes by state into a table', async () => {
      const { service } = subject();
      const parsed = parseDocument(await readFile('examples/spark/strikes-on-spark.yaml', 'utf8'), 'yaml');
      if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
      await service.register(parsed.value as object);
      const { workflowId } = await service.execute('strikes-on-spark');
      expect(await service.ended(workflowId, 600_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      const query = 'select count(*) as states, sum(strikes) as strikes, sum(cost) as cost from t';
      expect(await readTable(service.dataDir, 'wildlife.strikes_on_spark', 't', query)).toEqual([
        { states: '29', strikes: '10000', cost: '40545276' },
      ]);
    }, 900_000);
  });
}
