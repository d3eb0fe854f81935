/** The pipelines that a newcomer copies from. */
import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { BUILT_IN_ONLY } from '../../../src/pipelines/engine-availability.ts';
import { validateDocument } from '../../../src/pipelines/validate-document.ts';
import { validateMigration } from '../../../src/pipelines/validate-migration.ts';
import { qualityCheck } from '../../../src/schemas/definition.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import { codeBlocks, readDocument, tableRows } from '../../support/markdown.ts';

async function faultsOf(yaml: string): Promise<unknown> {
  const parsed = parseDocument(yaml, 'yaml');
  if ('faults' in parsed) return parsed.faults;
  const roots = { roots: 'any' as const, base: process.cwd() };
  const checked = await validateDocument(parsed.value, { engines: BUILT_IN_ONLY, roots });
  return 'faults' in checked ? checked.faults : [];
}

test('the pipeline of the documents, when it is validated, has no faults', async () => {
  const blocks = codeBlocks(await readDocument('docs/pipelines.md')).filter(({ language }) => language === 'yaml');
  expect(blocks).toHaveLength(1);
  for (const { text } of blocks) expect(await faultsOf(text)).toEqual([]);
});

test('the examples, when they are validated, have no faults', async () => {
  const files = (await readdir(new URL('../../../examples/', import.meta.url))).filter((file) =>
    file.endsWith('.yaml'),
  );
  expect(files).not.toHaveLength(0);
  for (const file of files)
    expect({ [file]: await faultsOf(await readDocument(`examples/${file}`)) }).toEqual({ [file]: [] });
});

test('the table of checks, when types of checks change, has each of them', async () => {
  const rows = tableRows(await readDocument('docs/pipelines.md'), 'type').map(([type = '']) =>
    type.replaceAll('`', ''),
  );
  const types = qualityCheck.options.map(({ shape }) => shape.type.value);
  expect(rows).toEqual(expect.arrayContaining(types));
});

test('the migrations of the documents and the examples, when they are validated, have no faults', async () => {
  const folder = new URL('../../../examples/migrations/', import.meta.url);
  const examples = await Promise.all(
    (await readdir(folder)).map((file) => readDocument(`examples/migrations/${file}`)),
  );
  const blocks = codeBlocks(await readDocument('docs/migrations.md')).filter(({ language }) => language === 'yaml');
  const documents = [...examples, ...blocks.map(({ text }) => text)];
  expect(documents).toHaveLength(3);
  for (const text of documents) {
    const parsed = parseDocument(text, 'yaml');
    expect('faults' in parsed ? parsed : await validateMigration(parsed.value)).not.toHaveProperty('faults');
  }
});
