/** What jobs and the service leave each other on S3, on a real gateway: who is first, and what was left. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nameParquetObjects } from '../../src/engines/flink/name-parquet-files.ts';
import { datasetOnS3 } from '../../src/engines/s3/dataset-on-s3.ts';
import { parseS3Uri } from '../../src/engines/s3/s3-address.ts';
import { S3JobFolder } from '../../src/engines/s3/s3-job-folder.ts';
import type { S3Objects } from '../../src/engines/s3/s3-objects.ts';
import { Scratch } from '../../src/engines/scratch.ts';
import { KubernetesCluster } from '../../src/engines/spark/kubernetes-cluster.ts';
import { KubernetesSubmitter } from '../../src/engines/spark/kubernetes-submitter.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { KubernetesStandIn, NAMESPACE } from '../support/kubernetes-stand-in.ts';
import { S3Gateway } from '../support/s3-gateway.ts';

const { signal } = new AbortController();
let gateway: S3Gateway;
let proxy: KillingProxy;
let objects: S3Objects;
let folder: string;
let fixture: EngineFixture;
let parquet: Buffer;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  gateway = started.use(await S3Gateway.start());
  proxy = started.use(await KillingProxy.start(gateway.url, 'exact'));
  objects = gateway.open({ endpoint: proxy.url });
  started.defer(() => {
    objects.close();
  });
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-s3-jobs-'));
  started.defer(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 }));
  fixture = await EngineFixture.create();
  started.defer(() => fixture.dispose());
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const path = join(folder, 'rows.parquet');
  // Large enough that its footer is a small part of it.
  await connection.run(
    `COPY (SELECT hash(i) AS h, hash(-i) AS g FROM range(100000) r(i)) TO '${path}' (FORMAT parquet)`,
  );
  connection.closeSync();
  parquet = await readFile(path);
});
afterAll(() => started.disposeAsync());

function jobFolder(name: string): S3JobFolder {
  return new S3JobFolder(objects, parseS3Uri(`s3://lake/jobs/${name}/`));
}

describe("a job's folder on S3", () => {
  test('when eight claim a name at once, is had by one of them', async () => {
    const job = jobFolder('claimed');
    const claims = Array.from({ length: 8 }, (_, n) => job.putIfAbsent('claim.json', String(n)));
    // One that met another on its way is told to come again.
    const won = (await Promise.allSettled(claims)).map((claim) => claim.status === 'fulfilled' && claim.value);
    expect(won.filter((first) => first)).toHaveLength(1);
    expect(await job.read('claim.json')).toBe(String(won.indexOf(true)));
    expect(await job.putIfAbsent('claim.json', 'later')).toBe(false);
  });

  test('when the answer to a claim is lost, knows that it has the name all the same', async () => {
    const job = jobFolder('lost');
    let cut = 0;
    proxy.hooks = { onAnswer: ({ method }) => (method === 'PUT' && (cut += 1) === 1 ? 'cut' : undefined) };
    expect(await job.putIfAbsent('claim.json', 'mine')).toBe(true);
    proxy.hooks = {};
    expect(cut).toBeGreaterThan(0);
    expect(await job.read('claim.json')).toBe('mine');
  });

  test('when it is looked into, has what lies there and nothing deeper', async () => {
    const job = jobFolder('looked');
    expect(await job.read('claim.json')).toBeUndefined();
    expect(await job.list('')).toEqual([]);
    expect(await job.writtenAtMs('alive')).toBeUndefined();
    for (const name of ['submissions/driver-1', 'submissions/driver-2', 'stop']) await job.putIfAbsent(name, 'x');
    expect(await job.list('submissions')).toEqual(['driver-1', 'driver-2']);
    expect((await job.list('')).sort()).toEqual(['stop', 'submissions']);
    expect(await job.writtenAtMs('stop')).toBeGreaterThan(0);
    expect(job.located('launcher.py')).toBe('s3a://lake/jobs/looked/launcher.py');
  });
});

describe('what a job left on S3', () => {
  const measured = (uri: string) =>
    datasetOnS3(fixture.engine, { objects, scratch: new Scratch(join(folder, 'scratch')) }, uri, signal);

  test('when its files are large, is measured by their footers', async () => {
    for (const name of ['a.parquet', 'b.parquet', 'deeper/c.parquet', '_SUCCESS']) {
      await gateway.put(`jobs/output/${name}`, name.endsWith('.parquet') ? parquet : 'done');
    }
    const before = proxy.answered.length;
    const uri = 's3://lake/jobs/output/';
    expect(await measured(uri)).toEqual({ uri, rows: 200_000, bytes: 2 * parquet.length });
    const read = proxy.answered.slice(before).reduce((sum, { answer }) => sum + (answer.raw?.length ?? 0), 0);
    expect(read).toBeLessThan(parquet.length / 2);
    expect(await measured('s3://lake/jobs/output/a.parquet')).toMatchObject({ rows: 100_000 });
    expect(await measured('s3://lake/jobs/nothing/')).toBeUndefined();
  });

  test.each(['P', 'PAR1', 'no Parquet at all, however it is called'])(
    'when it is "%s", is refused',
    async (content) => {
      await gateway.put('jobs/broken/a.parquet', content);
      await expect(measured('s3://lake/jobs/broken/')).rejects.toMatchObject({
        type: 'ValidationError',
        message: 's3://lake/jobs/broken/a.parquet is no Parquet file',
      });
    },
  );

  test('when Flink named its files, has them named as Parquet once, however often', async () => {
    for (const name of ['part-1-0', 'part-2-0', 'part-3-0.parquet']) await gateway.put(`jobs/flink/${name}`, parquet);
    await gateway.put('jobs/flink/part-4-0', 'text');
    const at = parseS3Uri('s3://lake/jobs/flink/');
    await nameParquetObjects(objects, at);
    // As a process leaves it that is killed between the copy and the removal.
    await gateway.put('jobs/flink/part-1-0', parquet);
    await nameParquetObjects(objects, at);
    expect(await gateway.keys('jobs/flink/')).toEqual(
      ['part-1-0.parquet', 'part-2-0.parquet', 'part-3-0.parquet', 'part-4-0'].map((name) => `jobs/flink/${name}`),
    );
  });
});

test('a SparkApplication on a stand-in API server, when staging is on S3, has its file, its output and nothing to open it with', async () => {
  const standIn = started.use(await KubernetesStandIn.start());
  const submitter = new KubernetesSubmitter(new KubernetesCluster(NAMESPACE, standIn.config()));
  const application = join(folder, 'app.py');
  await writeFile(application, 'print(1)\n');
  const running = submitter.run(
    {
      prefix: 'ps-0123456789abcdef0123-g',
      application,
      args: [],
      conf: {},
      folderOf: (name) => Promise.resolve(jobFolder(name)),
      contextOf: (output) => Promise.resolve({ output }),
      started: () => Promise.resolve(),
    },
    { signal, log: () => undefined, progress: () => undefined },
  );
  const name = 'ps-0123456789abcdef0123-g1';
  await expect.poll(() => standIn.applications.has(name)).toBe(true);
  const spec = standIn.applications.get(name)?.spec;
  expect(spec?.mainApplicationFile).toBe(`s3a://lake/jobs/${name}/application/app.py`);
  expect(await jobFolder(name).read('application/app.py')).toBe('print(1)\n');
  const { output } = JSON.parse(spec?.sparkConf['spark.pipeline.context'] ?? '{}') as { output: string };
  expect(output).toBe(`s3a://lake/jobs/${name}/output/`);
  expect(JSON.stringify(spec)).not.toMatch(/fs\.s3a|access.?key|secret|127\.0\.0\.1/i);
  await gateway.put(`jobs/${name}/output/part-0.parquet`, parquet);
  standIn.operatorSays(name, 'COMPLETED');
  const uri = `s3://lake/jobs/${name}/output/`;
  expect(await running).toMatchObject({ jobName: name, output: uri });
  const parts = { objects, scratch: new Scratch(join(folder, 'scratch')) };
  expect(await datasetOnS3(fixture.engine, parts, uri, signal)).toMatchObject({ rows: 100_000 });
});
