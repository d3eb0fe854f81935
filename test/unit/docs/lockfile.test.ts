import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { missingOptionals } from '../../../scripts/complete-lockfile.ts';

test('the lockfile, when a package is for some platforms only, names it all the same', () => {
  const text = readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Parameters<typeof missingOptionals>[0] };
  // `node scripts/complete-lockfile.ts` adds them.
  expect([...missingOptionals(packages).keys()]).toEqual([]);
});
