import { expect, test } from 'vitest';
import { CONFIG_VARIABLES } from '../../../src/config.ts';
import { readDocument, tableRows } from '../../support/markdown.ts';

test("the README's tables, when the configuration changes, have each variable once, with its default and meaning", async () => {
  const expected = CONFIG_VARIABLES.map(({ name, default: otherwise = '', meaning, secret }) => [
    `\`${name}\``,
    otherwise,
    secret === true ? `${meaning} Also \`${name}_FILE\`.` : meaning,
  ]);
  const byName = ([left = '']: string[], [right = '']: string[]) => left.localeCompare(right);
  expect(tableRows(await readDocument('README.md'), 'variable').sort(byName)).toEqual(expected.sort(byName));
});

test('.env.example, when the configuration changes, names every variable in its order', async () => {
  const names = Array.from((await readDocument('.env.example')).matchAll(/^#([A-Z0-9_]+)=$/gm), ([, name]) => name);
  expect(names).toEqual(CONFIG_VARIABLES.map(({ name }) => name));
});
