import { describe, expect, test } from 'vitest';
import { writeProfile } from '../../../src/engines/dbt/dbt-profile.ts';
import { redactor } from '../../../src/engines/dbt/redaction.ts';

const anywhere = { roots: 'any', base: '/' } as const;
const secretOf = (reference: string) => Promise.resolve(reference === '${secret:TEMPLATE}' ? 'a{{b}}' : 's3cret');

describe('a dbt profile', () => {
  test('when it is one output, becomes the profile that dbt is told to take, with its secrets', async () => {
    const { text, secrets } = await writeProfile({ type: 'postgres', password: '${secret:A}' }, anywhere, secretOf);
    const output = { type: 'postgres', password: 's3cret' };
    expect(JSON.parse(text)).toEqual({ pipeline: { target: 'pipeline', outputs: { pipeline: output } } });
    expect(secrets).toEqual(['s3cret']);
  });

  test('when it has outputs and a target of its own, keeps them', async () => {
    const profile = { target: 'prod', outputs: { dev: { type: 'postgres' }, prod: { type: 'postgres' } } };
    const { text } = await writeProfile(profile, anywhere, secretOf);
    expect(JSON.parse(text)).toEqual({ pipeline: profile });
  });

  test('when a secret looks like a template of dbt, is taken as it is', async () => {
    const { text } = await writeProfile({ type: 'postgres', password: '${secret:TEMPLATE}' }, anywhere, secretOf);
    expect(text).toContain('{% raw %}a{{b}}{% endraw %}');
  });

  test('when its database is a file outside of FILE_ROOTS, or more than a file, is refused', async () => {
    const roots = { roots: ['/nowhere/data'], base: '/nowhere/data' };
    const profile = { type: 'duckdb', path: '/etc/x.duckdb' };
    await expect(writeProfile(profile, roots, secretOf)).rejects.toMatchObject({ type: 'PermissionDeniedError' });
    const further = { type: 'duckdb', path: 'x.duckdb', plugins: [] };
    await expect(writeProfile(further, roots, secretOf)).rejects.toThrow(/plugins is not taken/);
  });

  test('when it has no adapter, is refused', async () => {
    await expect(writeProfile({ host: 'h' }, anywhere, secretOf)).rejects.toMatchObject({ type: 'ValidationError' });
  });
});

test('redaction, when a secret is told as it is, in a URL, in JSON or by a line, hides it', () => {
  const redact = redactor(['p@ss"word', 'first-line\nsecond-line', '']);
  expect(redact('p@ss"word p%40ss%22word "p@ss\\"word" second-line')).toBe('*** *** "***" ***');

  const odd = redactor([String.raw`p'a"s\ä`]);
  const python = String.raw`'p\'a"s\\ä' is not of type 'integer'`;
  expect(odd(python), 'what Python says of a value with both kinds of quotes').toBe("'***' is not of type 'integer'");
  expect(odd(String.raw`p'a\"s\\ä p'a\"s\\\u00e4 p''a"s\ä p'a%22s%5C%C3%A4 p%27a%22s%5C%C3%A4`)).toBe(
    '*** *** *** *** ***',
  );
});
