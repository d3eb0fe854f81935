import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveReadableFiles, resolveWritablePath, type FileRoots } from '../../../src/engines/sources/file-roots.ts';

let folder: string;
let fileRoots: FileRoots;
let anywhere: FileRoots;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-roots-'));
  const root = join(folder, 'root');
  await mkdir(join(root, 'sub'), { recursive: true });
  for (const file of ['root/a.csv', 'root/b.csv', 'root/sub/c.csv', 'root/x[1].csv', 'secret.csv']) {
    await writeFile(join(folder, file), 'n\n1\n');
  }
  await symlink(join(folder, 'secret.csv'), join(root, 'link.csv'));
  await symlink(folder, join(root, 'out'));
  fileRoots = { roots: [root], base: root };
  anywhere = { roots: 'any', base: root };
});
afterAll(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true }));

const denied = { type: 'PermissionDeniedError' };

describe('a path to read', () => {
  test('a relative path, when it lies in the root, is the real file below the base', async () => {
    expect(await resolveReadableFiles('a.csv', fileRoots)).toEqual([
      { shown: 'a.csv', path: join(folder, 'root/a.csv') },
    ]);
  });

  test.each([
    '../secret.csv',
    'link.csv',
    'out/secret.csv',
    'sub/../../secret.csv',
    '../nothing-there.csv',
    '/etc/passwd',
    'file:///etc/passwd',
    '../*.csv',
    'out/*.csv',
    'l*.csv',
  ])('a path, when it leads out of the roots (%s), is denied', async (path) => {
    await expect(resolveReadableFiles(path, fileRoots)).rejects.toMatchObject(denied);
  });

  test('any path, when no folder is allowed, is denied', async () => {
    await expect(resolveReadableFiles('a.csv', { ...fileRoots, roots: [] })).rejects.toMatchObject(denied);
  });

  test('a link, when every folder is allowed, is followed', async () => {
    expect(await resolveReadableFiles('link.csv', anywhere)).toEqual([
      { shown: 'link.csv', path: join(folder, 'secret.csv') },
    ]);
  });

  test('a glob, when several files match, gives them in the order of their names', async () => {
    const files = await resolveReadableFiles('{sub,.}/*[abc].csv', anywhere).catch((error: unknown) => error);
    expect(files).toMatchObject([{ shown: 'a.csv' }, { shown: 'b.csv' }, { shown: 'sub/c.csv' }]);
  });

  test('a name with brackets, when there is such a file, is that file', async () => {
    expect(await resolveReadableFiles('x[1].csv', fileRoots)).toHaveLength(1);
  });

  test.each([
    ['no*.csv', /no file matches/],
    ['none.csv', /there is no such file/],
    ['sub', /is a folder; name its files with a glob/],
    ['a*/../none.csv', /no \.\. after a wildcard/],
    ['{/etc/passwd,a.csv}', /no \/ between braces/],
    ['https://example.org/a.csv', /only local files/],
    ['a\0.csv', /NUL/],
  ])('a path, when it names no file (%s), says what is wrong', async (path, message) => {
    await expect(resolveReadableFiles(path, fileRoots)).rejects.toMatchObject({
      type: 'ValidationError',
      message: expect.stringMatching(message) as string,
    });
  });
});

describe('a path to write', () => {
  test('a path in folders that do not exist yet, when they would lie in the root, is taken', async () => {
    expect(await resolveWritablePath('new/er/out.csv', fileRoots)).toEqual({
      shown: 'new/er/out.csv',
      path: join(folder, 'root/new/er/out.csv'),
    });
  });

  test.each(['../out.csv', 'out/out.csv', 'out/new/out.csv', 'link.csv', '/etc/out.csv'])(
    'a path, when it leads out of the roots (%s), is denied',
    async (path) => {
      await expect(resolveWritablePath(path, fileRoots)).rejects.toMatchObject(denied);
    },
  );

  test.each(['sub', 'sub/'])('a path, when it is a folder (%s), is refused', async (path) => {
    await expect(resolveWritablePath(path, fileRoots)).rejects.toMatchObject({ type: 'ValidationError' });
  });
});
