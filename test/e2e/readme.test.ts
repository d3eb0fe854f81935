/** The README's worked example, run as it is printed, against a service that was just started. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readTable } from '../../scripts/read-table.ts';
import { codeBlocks, readDocument, section } from '../support/markdown.ts';
import { Service } from '../support/service.ts';

const PRINTED_URL = 'http://127.0.0.1:8092';
const NEXT = '--- next block ---';

test("the README's example, when it is run as printed, answers as printed and loads the table", async () => {
  await using service = await Service.start();
  const blocks = codeBlocks(section(await readDocument('README.md'), '## A worked example'));
  const commands = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
  const script = commands.join(`\necho '${NEXT}'\n`).replaceAll(PRINTED_URL, service.url);
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: new URL('../../', import.meta.url),
    env: { ...process.env, PIPELINES_URL: service.url },
    timeout: 120_000,
  });
  const answers = stdout.split(`${NEXT}\n`);

  let compared = 0;
  for (const [index, { language, text }] of blocks.entries()) {
    if (language !== 'json') continue;
    const command = blocks.slice(0, index).filter((block) => block.language === 'sh').length - 1;
    const answer = JSON.parse(answers[command] ?? '') as object;
    expect(Object.keys(answer)).toEqual(Object.keys(JSON.parse(text) as object));
    compared += 1;
  }
  expect(compared).toBeGreaterThan(3);
  expect(JSON.parse(answers.at(-2) ?? '')).toMatchObject({ status: 'COMPLETED', result: { rowsProcessed: 2_491_758 } });
  expect(answers.at(-1)).toMatch(/flights +COMPLETED +2491758/);
  expect(answers.at(-1)).toContain('pipeline_rows_processed_total{pipeline="flights"} 2491758');
}, 400_000);

test("the README's backfill, when it is run as printed, says what it would do, and does it", async () => {
  await using service = await Service.start();
  const blocks = codeBlocks(section(await readDocument('README.md'), '## A backfill'));
  const script = blocks.map(({ text }) => text).join('\n');
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: new URL('../../', import.meta.url),
    env: { ...process.env, PIPELINES_URL: service.url },
    timeout: 180_000,
  });
  expect(stdout).toContain('14 to be processed, 0 to be skipped');
  const table = await readTable(
    service.dataDir,
    'aviation.by_day',
    't',
    'select count(distinct date)::int as days from t',
  );
  expect(table).toEqual([{ days: 14 }]);
}, 240_000);
