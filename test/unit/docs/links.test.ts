import { readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readDocument } from '../../support/markdown.ts';

const ROOT = new URL('../../../', import.meta.url);

async function documents(): Promise<string[]> {
  const docs = await readdir(new URL('docs/', ROOT), { recursive: true });
  const inDocs = docs.filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`);
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'k8s/README.md', ...inDocs];
}

test('links between documents, when files move, lead somewhere', async () => {
  const broken: string[] = [];
  for (const document of await documents()) {
    for (const [, target = ''] of (await readDocument(document)).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      if (!existsSync(fileURLToPath(new URL(target, new URL(document, ROOT))))) broken.push(`${document}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test('folders and files that the documents name, when they move, are named anew', async () => {
  const missing: string[] = [];
  for (const document of await documents()) {
    // `src/…`, `test/…`, `scripts/…` and the like, from the root.
    for (const [, path = ''] of (await readDocument(document)).matchAll(
      /`((?:src|test|scripts|examples|docs)\/[\w./-]*)`/g,
    )) {
      if (!existsSync(fileURLToPath(new URL(path, ROOT)))) missing.push(`${document}: ${path}`);
    }
  }
  expect(missing).toEqual([]);
});

test('the list of decisions, when one is added, names it', async () => {
  const pages = (await readdir(new URL('docs/adr/', ROOT))).filter((file) => /^\d{4}-/.test(file)).sort();
  const listed = Array.from(
    (await readDocument('docs/adr/README.md')).matchAll(/\]\((\d{4}-[^)]+)\)/g),
    ([, page]) => page,
  );
  expect(listed).toEqual(pages);
});
