/** Every command of `pipelines` as a user types it, against the whole service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { Service } from '../support/service.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

vi.setConfig({ testTimeout: 240_000 });

let service: Service;

beforeAll(async () => {
  service = await Service.start();
  await writeFile(join(service.folder, 'people.csv'), 'n,name\n1,a\n2,\n3,c\n');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

async function pipelines(args: string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { PATH: process.env['PATH'], PIPELINES_URL: service.url, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outcome = { code: null, out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => (outcome.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (outcome.err += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { ...outcome, code };
}

/** What a command says with `--json`, and its exit code. */
async function json(...args: string[]): Promise<{ code: number | null; answer: Record<string, unknown> }> {
  const { code, out, err } = await pipelines([...args, '--json']);
  expect(err).toBe('');
  return { code, answer: JSON.parse(out) as Record<string, unknown> };
}

/** A file with a pipeline whose rows need no approval, unless `check` asks for more than the data has. */
async function definition(name: string, changes: { check?: object; sql?: string; parameters?: object } = {}) {
  const { check, sql = 'select n, name from people', parameters = {} } = changes;
  const file = join(service.folder, `${name}.yaml`);
  const document = {
    name,
    version: '1',
    tags: ['cli'],
    parameters,
    definition: {
      sources: { people: { type: 'file', path: join(service.folder, 'people.csv'), format: 'csv' } },
      quality_checks: { checks: check === undefined ? [] : [check] },
      transformations: [{ name: 'picked', engine: 'sql', sql }],
      sinks: {
        out: { type: 'file', from: 'picked', path: join(service.folder, `${name}.out.csv`), format: 'csv' },
      },
      orchestration: { retry: { run_sql: { max_attempts: 1 } } },
    },
  };
  await writeFile(file, stringify(document));
  return file;
}

const namesNeeded = { source: 'people', type: 'not_null', columns: ['name'], severity: 'CRITICAL' };

/** A registered pipeline's run that waits at its gate. */
async function waitingRun(name: string): Promise<string> {
  await pipelines(['apply', '-f', await definition(name, { check: namesNeeded })]);
  const { code, answer } = await json('run', name, '--wait');
  expect(code).toBe(4);
  return String(answer['executionId']);
}

test.concurrent('help, when it is asked for, names every command and exits 0', async () => {
  const { code, out } = await pipelines(['--help']);
  expect(code).toBe(0);
  for (const command of ['validate', 'apply', 'run', 'runs', 'status', 'logs', 'approve', 'reject', 'cancel']) {
    expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  }
  for (const command of ['pause', 'resume', 'retry', 'list']) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  expect((await pipelines(['run', '--help'])).out).toContain('--param <name=value>');
});

test.concurrent.each([
  ['an unknown command', ['fly']],
  ['an unknown option', ['list', '--colour']],
  ['a missing argument', ['run']],
  ['one argument too many', ['pause', 'a', 'b']],
  ['a missing file name', ['apply']],
  ['a priority that is none', ['run', 'p', '--priority', 'SOON']],
  ['an interval that is none', ['run', 'p', '--interval', '2001-01-01']],
])('a command line, when it has %s, is a matter of usage', async (_, args) => {
  expect(await pipelines(args)).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/\w/) as string });
});

test.concurrent('a command, when no service answers, says what to do', async () => {
  const { code, err } = await pipelines(['list'], { PIPELINES_URL: 'http://127.0.0.1:1' });
  expect(code).toBe(1);
  expect(err).toBe('No service answers at http://127.0.0.1:1: start one with "npm start", or set PIPELINES_URL\n');
});

test.concurrent('validate, when the definition has faults, prints each with its path and exits 1', async () => {
  const file = await definition('faulty', { check: { source: 'peple', type: 'not_null', columns: ['name'] } });
  const { code, out } = await pipelines(['validate', '-f', file]);
  expect(code).toBe(1);
  expect(out).toMatch(/^definition\.quality_checks\.checks\.0\.source: .*people/m);
  expect(await pipelines(['validate', await definition('sound')])).toMatchObject({
    code: 0,
    out: expect.stringContaining('is valid') as string,
  });
});

test.concurrent('apply, when the definition has faults, prints each with its path and registers nothing', async () => {
  const file = await definition('unsound', { sql: 'select nothing from nowhere' });
  const { code, out, err } = await pipelines(['apply', '-f', file]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toMatch(/^ {2}definition\.transformations\.0\.sql: /m);
  expect((await pipelines(['run', 'unsound'])).code).toBe(2);
});

test.concurrent('apply, when there is no such file, names it', async () => {
  const { code, err } = await pipelines(['apply', '-f', '/nowhere/at-all.yaml']);
  expect({ code, err }).toEqual({ code: 2, err: '/nowhere/at-all.yaml cannot be read: ENOENT\n' });
});

test.concurrent('apply, when the name is there already, adds a revision; list shows it', async () => {
  const file = await definition('twice');
  expect((await json('apply', '-f', file)).answer).toMatchObject({ name: 'twice', revision: 1 });
  expect((await pipelines(['apply', file])).out).toMatch(/^twice 1: revision 2 \(/);
  expect((await pipelines(['list'])).out).toMatch(/^twice +1 +2 +yes/m);
});

test.concurrent(
  'run --wait, when the run completes, exits 0; its steps, logs and status can be looked at',
  async () => {
    await pipelines(['apply', '-f', await definition('good')]);
    const { code, answer } = await json('run', 'good', '--wait');
    expect({ code, status: answer['status'] }).toEqual({ code: 0, status: 'COMPLETED' });
    const id = String(answer['executionId']);

    expect((await pipelines(['status', id])).out).toMatch(new RegExp(`^${id} {2}COMPLETED`));
    expect((await pipelines(['status', String(answer['workflowId'])])).out).toContain('load:out');
    expect(await pipelines(['status', id, '--watch'])).toMatchObject({ code: 0 });
    expect((await pipelines(['steps', id])).out).toMatch(/^load:out +COMPLETED +1 +3/m);
    expect((await pipelines(['runs', '--pipeline', 'good', '--status', 'COMPLETED'])).out).toContain(id);
    expect((await json('runs', '--tag', 'cli', '-n', '1')).answer).toHaveLength(1);
    expect(await pipelines(['logs', id])).toMatchObject({
      code: 0,
      out: expect.stringContaining('wrote 3 rows') as string,
    });
    expect((await pipelines(['quality', id])).out).toContain('Quality score 1.000');
    expect((await pipelines(['retry', id])).err).toBe('The run has completed: execute the pipeline again\n');
  },
);

test.concurrent('run --wait, when the run fails, exits 1 and says why; retry does it again', async () => {
  const sql = "select case when n = 2 then error('broken on purpose') else n end as n from people";
  await pipelines(['apply', '-f', await definition('bad', { sql })]);
  const { code, out } = await pipelines(['run', 'bad', '--wait']);
  expect(code).toBe(1);
  expect(out).toContain('broken on purpose');
  const [run] = (await json('runs', '--pipeline', 'bad')).answer as unknown as { executionId: string }[];
  const retried = await pipelines(['retry', run?.executionId ?? '', '--from', 'transform:picked', '--wait']);
  expect(retried.code).toBe(1);
  expect((await json('runs', '--pipeline', 'bad')).answer).toHaveLength(2);
});

test.concurrent('run, when it is given parameters, sends them as they were declared', async () => {
  const parameters = { code: { type: 'string' }, least: { type: 'int', default: 0 } };
  const sql = 'select n, ${code} as code from people where n >= ${least}';
  await pipelines(['apply', '-f', await definition('parametrized', { sql, parameters })]);
  const { code, answer } = await json('run', 'parametrized', '-p', 'code=007', '-p', 'least=2', '--wait');
  expect(code).toBe(0);
  expect(answer['result']).toMatchObject({ rowsProcessed: 2 });
  const wrong = await pipelines(['run', 'parametrized', '-p', 'least=two', '-p', 'code=x']);
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('parameters.least: expected') as string });
});

test.concurrent('run --wait, when the gate opens, exits 4; approve lets the run complete', async () => {
  const id = await waitingRun('approved');
  expect((await pipelines(['status', id])).out).toContain('Waits for approval');
  expect((await pipelines(['quality', id])).out).toMatch(/^FAILED +CRITICAL +not_null +people\.name +1/m);
  expect(await pipelines(['approve', id, '-c', 'known'])).toMatchObject({ code: 0, out: 'approved\n' });
  expect((await json('status', id, '--watch')).answer).toMatchObject({ status: 'COMPLETED' });
  expect(await pipelines(['approve', id])).toMatchObject({ code: 1, err: 'The run is closed: it is COMPLETED\n' });
});

test.concurrent('reject, when the run waits at the gate, cancels it; following it exits 3', async () => {
  const id = await waitingRun('rejected');
  const watching = pipelines(['status', id, '--watch']);
  expect(await pipelines(['reject', id])).toMatchObject({ code: 0, out: 'rejected\n' });
  const { code, out } = await watching;
  expect(code).toBe(3);
  expect(out).toContain('Reason: Rejected by local');
});

test.concurrent('pause, resume and cancel, when the run waits, do what they say', async () => {
  const id = await waitingRun('cancelled');
  expect((await pipelines(['pause', id])).out).toBe('paused\n');
  expect((await pipelines(['status', id])).out).toContain('Paused');
  expect((await pipelines(['resume', id])).out).toBe('resumed\n');
  expect((await pipelines(['cancel', id, '-r', 'not today'])).out).toBe('cancelling\n');
  const { code, answer } = await json('status', id, '--watch');
  expect({ code, result: answer['result'] }).toMatchObject({ code: 3, result: { reason: 'not today' } });
});
