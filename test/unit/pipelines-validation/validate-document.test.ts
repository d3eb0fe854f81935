import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILT_IN_ONLY } from '../../../src/pipelines/engine-availability.ts';
import { validateDocument, type ValidationEnvironment } from '../../../src/pipelines/validate-document.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import { birds, birdsWith } from '../schemas/birds.ts';
import { Random } from '../schemas/random.ts';

const OPEN: ValidationEnvironment = { engines: BUILT_IN_ONLY, roots: { roots: 'any', base: process.cwd() } };

async function faultsOf(document: unknown, environment = OPEN): Promise<string[]> {
  const outcome = await validateDocument(document, environment);
  return 'faults' in outcome ? outcome.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

describe('a document', () => {
  test('when it is sound, is kept as it was sent, and read with its defaults', async () => {
    const outcome = await validateDocument(birds(), OPEN);

    expect(outcome).toMatchObject({
      raw: birds(),
      document: {
        definition: {
          sinks: { file: { path: 'out/2001-01-01.csv' } },
          sources: { states: { connection: '${secret:DB}' } },
          quality_checks: { checks: [{}, {}, { sql: 'select * from strikes where day < ${month}' }] },
        },
      },
    });
  });

  test.each(['birdstrikes', 'flights'])('when it is the example %s, has no faults', async (name) => {
    const parsed = parseDocument(readFileSync(`examples/${name}.yaml`, 'utf8'), 'yaml');

    expect(await faultsOf('value' in parsed ? parsed.value : parsed)).toEqual([]);
  });

  test('when many places are wrong, has all faults at once', async () => {
    const faults = await faultsOf(
      birdsWith({
        version: 1,
        colour: 'red',
        parameters: { month: { type: 'date', default: '2001-13-01' } },
        'definition.sources.strikes.format': 'xls',
        'definition.sources.more': { type: 'spark', application: 'a.py' },
        'definition.quality_checks.checks.0.source': 'nobody',
        'definition.transformations.0.depends_on': ['top'],
        'definition.transformations.1.sql': 'select * frm daily',
        'definition.sinks.table.from': 'dayly',
        'definition.sinks.file.path': 'out/${nobody}.csv',
      }),
    );

    expect(faults.map((fault) => fault.split(': ')[0]).sort()).toEqual([
      'colour',
      'definition.quality_checks.checks.0.source',
      'definition.sinks.file.path',
      'definition.sinks.table.from',
      'definition.sources.more.type',
      'definition.sources.strikes.format',
      'definition.transformations.0.depends_on',
      'definition.transformations.1.sql',
      'parameters.month.default',
      'version',
    ]);
  });

  test('when it is too deep or no mapping, is refused before anything else', async () => {
    let deep: unknown = 1;
    for (let i = 0; i < 5000; i += 1) deep = [deep];

    expect(await faultsOf({ definition: deep })).toEqual([expect.stringContaining('at most 20 levels')]);
    expect(await faultsOf([1])).toEqual([': expected a mapping (keys and values), got a list']);
    expect(await faultsOf(undefined)).toHaveLength(1);
  });

  test('when it has a thousand faults, tells a hundred and how many more there are', async () => {
    const faults = await faultsOf(birdsWith(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, 1]))));

    expect(faults).toHaveLength(101);
    expect(faults.at(-1)).toBe(': … and 900 more faults');
  });

  test('when it is garbage, has faults and is never the reason of an exception', async () => {
    for (let seed = 0; seed < 400; seed += 1) {
      const random = new Random(seed);
      const place = random.pick([
        'parameters',
        'definition',
        'definition.sources',
        'definition.sources.strikes.path',
        'definition.transformations.0.sql',
        'definition.transformations',
        'definition.sinks.table.partition_by',
        'definition.quality_checks',
      ]);
      const outcome = await validateDocument(
        birdsWith({ [place]: random.pick([random.value(4), random.text(60)]) }),
        OPEN,
      );
      if ('faults' in outcome) expect(outcome.faults.length).toBeGreaterThan(0);
      else expect(outcome.document.name).toBe('birds');
    }
  });
});

describe('the parameters of a document', () => {
  test('when one has no default, stand for an example of their type', async () => {
    expect(await faultsOf(birdsWith({ 'parameters.month': { type: 'date' } }))).toEqual([]);
  });

  test('when the example does not fit, say that a default is needed', async () => {
    const document = birdsWith({ 'parameters.how': { type: 'string' }, 'definition.sinks.table.mode': '${how}' });

    expect(await faultsOf(document)).toEqual([
      'definition.sinks.table.mode: expected one of append, overwrite, overwrite_partition, merge, got "example" (an example for how: a default that fits is needed here)',
    ]);
  });

  test('when an enum chooses, are checked with its first value', async () => {
    const how = { type: 'enum', values: ['append', 'overwrite'] };

    expect(await faultsOf(birdsWith({ 'parameters.how': how, 'definition.sinks.table.mode': '${how}' }))).toEqual([]);
  });

  test('when they stand for numbers, have the type that the place asks for', async () => {
    const document = birdsWith({ 'parameters.score': 0.5, 'definition.quality_checks.min_score': '${score}' });

    expect(await validateDocument(document, OPEN)).toMatchObject({
      document: { definition: { quality_checks: { min_score: 0.5 } } },
    });
  });
});

describe('the SQL of a document', () => {
  const SQL = 'definition.transformations.1.sql';

  test.each([
    ['select * frm daily', /syntax error/],
    ['select 1; select 2', /exactly one SELECT/],
    ['drop table daily', /expected one SELECT/],
    ["copy daily to '/tmp/x'", /expected one SELECT/],
    ["select * from read_text('/etc/passwd')", /./],
    ["select * from '/etc/passwd'", /./],
    ["select '${month}'", /inside a literal/],
    ['select 1 -- ${month}', /inside a comment/],
    ['select "${month}" from daily', /inside a quoted identifier/],
    ['select ${nobody}', /\$\{nobody\} is not a declared parameter/],
    ['select * from nowhere', /expected only inputs as tables, got nowhere; inputs are strikes, states, daily$/],
    ['select $1', /placeholders/],
  ])('when it is %j, is refused with its path', async (sql, message) => {
    const faults = await faultsOf(birdsWith({ [SQL]: sql }));

    expect(faults).toEqual([expect.stringContaining(`${SQL}: `)]);
    expect(faults[0]).toMatch(message);
  });

  test('when it reads a transformation that it does not wait for, says how', async () => {
    const faults = await faultsOf(birdsWith({ 'definition.transformations.1.depends_on': [] }));

    expect(faults).toEqual([
      `${SQL}: expected only inputs as tables, got daily; inputs are strikes, states; to read daily, name it in depends_on`,
    ]);
  });

  test('when it names inputs in another case or its own tables, is taken', async () => {
    const sql = 'with mine as (select * from DAILY) select * from mine join "Strikes" using (day) where n > ${least}';

    expect(await faultsOf(birdsWith({ [SQL]: sql }))).toEqual([]);
  });

  test('when it is a check, reads sources only', async () => {
    const faults = await faultsOf(birdsWith({ 'definition.quality_checks.checks.2.sql': 'select * from daily' }));

    expect(faults).toEqual([expect.stringContaining('got daily; inputs are strikes, states')]);
  });

  test('when it is of another database, has its parameters checked', async () => {
    const source = { type: 'jdbc', connection: '${secret:DB}', query: "select * from t where d > '${month}'" };

    expect(await faultsOf(birdsWith({ 'definition.sources.states': source }))).toEqual([
      expect.stringMatching(/^definition\.sources\.states\.query: .*inside a literal/),
    ]);
  });
});

describe('an engine that is not here', () => {
  const step = (fields: object) => ({ 'definition.transformations.2': { name: 'more', ...fields } });

  test.each<[string, Record<string, unknown>, string]>([
    [
      'airflow',
      step({ engine: 'airflow', dag_id: 'd' }),
      'definition.transformations.2.engine: airflow is not configured: AIRFLOW_URL',
    ],
    [
      'spark',
      step({ engine: 'spark', application: 'a.py' }),
      'definition.transformations.2.engine: spark is not configured',
    ],
    [
      'flink',
      step({ engine: 'flink', statement: 'insert into ${output} select 1' }),
      'definition.transformations.2.engine: flink is not configured',
    ],
    ['dbt', step({ engine: 'dbt', project: 'p' }), 'definition.transformations.2.engine: dbt is not configured'],
    [
      'spark as compute',
      { 'definition.orchestration.compute': 'spark' },
      'definition.orchestration.compute: spark is not configured',
    ],
    [
      'spark as a source',
      { 'definition.sources.more': { type: 'spark', application: 'a.py' } },
      'definition.sources.more.type: spark is not configured',
    ],
    [
      'S3 as a source',
      { 'definition.sources.strikes.path': 's3://bucket/a.csv' },
      'definition.sources.strikes.path: s3:// is not configured',
    ],
    [
      'S3 as a sink',
      { 'definition.sinks.file.path': 's3://bucket/${month}.csv' },
      'definition.sinks.file.path: s3:// is not configured',
    ],
    [
      'a web address as a source',
      { 'definition.sources.strikes.path': 'https://a.b/a.csv' },
      'definition.sources.strikes.path: expected a local path or s3://bucket/key',
    ],
  ])('when the document names %s, is refused in words', async (_what, changes, fault) => {
    expect(await faultsOf(birdsWith(changes))).toEqual([expect.stringContaining(fault)]);
  });

  test('when it is configured, is taken', async () => {
    const engines = { ...BUILT_IN_ONLY, airflow: true, spark: true };

    expect(await faultsOf(birdsWith(step({ engine: 'airflow', dag_id: 'd' })), { ...OPEN, engines })).toEqual([]);
    const job = { application: 'jobs/a.py', args: ['--deep'], conf: { 'spark.cores.max': '8' } };
    expect(await faultsOf(birdsWith(step({ engine: 'spark', ...job })), { ...OPEN, engines })).toEqual([]);
    const source = birdsWith({ 'definition.sources.more': { type: 'spark', ...job } });
    expect(await faultsOf(source, { ...OPEN, engines })).toEqual([]);
  });
});

describe('details of a source', () => {
  test.each([
    [{ nope: 1 }, 'nope: csv has no such option; it has delimiter'],
    [{ delimiter: '' }, 'delimiter: expected one to four characters'],
    [{ header: 'yes' }, 'header: expected true or false'],
  ])('when its options are %j, are refused', async (options, fault) => {
    expect(await faultsOf(birdsWith({ 'definition.sources.strikes.options': options }))).toEqual([
      expect.stringContaining(`definition.sources.strikes.options.${fault}`),
    ]);
  });

  test('when a check expects what is no type, are refused', async () => {
    const check = { source: 'strikes', type: 'schema', columns: { cost: 'foo' } };
    expect(await faultsOf(birdsWith({ 'definition.quality_checks.checks.0': check }))).toEqual([
      'definition.quality_checks.checks.0.columns.cost: foo is no type of a column',
    ]);
  });
});

describe('a path of a document', () => {
  let folder = '';
  const within = (document: unknown) =>
    faultsOf(document, { ...OPEN, roots: { roots: [join(folder, 'in')], base: join(folder, 'in') } });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'validate-'));
    mkdirSync(join(folder, 'in'));
    mkdirSync(join(folder, 'out'));
    symlinkSync(join(folder, 'out'), join(folder, 'in', 'link'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('when it lies in FILE_ROOTS, is taken though there is no such file yet', async () => {
    expect(await within(birds())).toEqual([]);
    expect(await within(birdsWith({ 'definition.sources.strikes.path': 'a/**/*.csv' }))).toEqual([]);
    expect(await within(birdsWith({ 'definition.sources.strikes.path': join(folder, 'in', 'a.csv') }))).toEqual([]);
  });

  test.each([
    '/etc/passwd',
    '../out/a.csv',
    'link/a.csv',
    '/etc/*.csv',
    '../*/a.csv',
    'a/../../out/a.csv',
    'file:///etc/passwd',
  ])('when it is %s, is refused', async (path) => {
    expect(await within(birdsWith({ 'definition.sources.strikes.path': path }))).toEqual([
      `definition.sources.strikes.path: expected a path within the folders that pipelines may use (FILE_ROOTS), got ${path}`,
    ]);
  });

  test('when it is of a sink, is refused outside as well', async () => {
    expect(await within(birdsWith({ 'definition.sinks.file.path': '../out/a.csv' }))).toEqual([
      expect.stringContaining('definition.sinks.file.path: expected a path within the folders'),
    ]);
  });

  test('when there are no FILE_ROOTS, is refused wherever it is', async () => {
    const nowhere = { ...OPEN, roots: { roots: [], base: process.cwd() } };

    expect(await faultsOf(birds(), nowhere)).toEqual([
      'definition.sources.strikes.path: files cannot be used: FILE_ROOTS names no folders that pipelines may use',
    ]);
  });
});
