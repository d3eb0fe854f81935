/** Iceberg tables on S3: written by the service, read back by pyiceberg, and loaded once whoever is killed. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/engines/dataset.ts';
import { FileIoByScheme } from '../../src/engines/iceberg/file-io-by-scheme.ts';
import { SqlCatalog } from '../../src/engines/iceberg/sql-catalog.ts';
import type { S3Objects } from '../../src/engines/s3/s3-objects.ts';
import { Scratch } from '../../src/engines/scratch.ts';
import { extractIceberg } from '../../src/engines/sources/iceberg-source.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { type KillMoment, type ProxiedRequest, KillingProxy } from '../support/killing-proxy.ts';
import { IcebergRestServer } from '../support/iceberg-rest-server.ts';
import { S3Gateway } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';
import { isCommit } from './iceberg-rest-lakehouse.ts';
import { Judge } from './judge.ts';
import { Lakehouse } from './lakehouse.ts';
import { upkeepOf } from './upkeep.ts';

let gateway: S3Gateway;
beforeAll(async () => {
  gateway = await S3Gateway.start();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe('tables in an s3:// warehouse', () => {
  let lakehouse: Lakehouse;
  let objects: S3Objects;
  let scratch: Scratch;
  let fixture: EngineFixture;
  beforeAll(async () => {
    fixture = await EngineFixture.create();
    objects = gateway.open();
    scratch = new Scratch(join(fixture.folder, 'scratch'));
    const io = new FileIoByScheme({ objects, scratch });
    lakehouse = await Lakehouse.open((lake) => {
      lake.s3 = gateway.pyiceberg;
      return new SqlCatalog({ file: lake.catalogFile, name: 'matih', warehouse: 's3://lake/warehouse/', io });
    });
  });
  afterAll(async () => {
    await lakehouse.close();
    objects.close();
    await scratch.close();
    await fixture.dispose();
  });

  /** pyiceberg finds exactly the model's rows. */
  async function expectRows(table: ReturnType<Lakehouse['table']>): Promise<void> {
    const expected = await table.expected();
    const { difference } = await lakehouse.judge.rows('pyiceberg', { table: table.name, expected });
    expect(difference).toBeNull();
  }

  test.each(['append', 'overwrite', 'overwrite_partition', 'merge'] as const)(
    'a table, when rows are loaded by %s, is what pyiceberg reads',
    async (mode) => {
      const table = lakehouse.table(`s3.by_${mode}`);
      const partitionBy = ['k'];
      const mergeKeys = mode === 'merge' ? ['n'] : [];
      const first = await table.load({ sql: 'SELECT range AS n, range % 3 AS k FROM range(3000)', partitionBy });
      const sql = 'SELECT range AS n, 1::BIGINT AS k FROM range(2000, 4000)';
      await table.load({ sql, mode, mergeKeys });
      expect(first).toMatchObject({ rows: 3000, alreadyCommitted: false });
      await expectRows(table);
      expect(await lakehouse.judge.history(table.name)).toHaveLength(2);
      const keys = await gateway.keys(`warehouse/s3/by_${mode}/`);
      expect(keys.some((key) => key.endsWith('.parquet'))).toBe(true);
      expect(keys.some((key) => key.endsWith('.metadata.json'))).toBe(true);
    },
  );

  test('a table, when it is compacted, expired and cleaned, has its rows, and no file that nothing refers to', async () => {
    const table = lakehouse.table('s3.kept');
    const upkeep = upkeepOf(lakehouse, table.name);
    for (const n of [1, 2, 3]) await table.load({ sql: `SELECT range AS n FROM range(${n})` });
    await objects.put({ bucket: 'lake', key: 'warehouse/s3/kept/data/left.parquet' }, Buffer.from('x'.repeat(10)));
    await objects.put({ bucket: 'lake', key: 'warehouse/s3/kept-not/data/left.parquet' }, Buffer.from('x'));
    expect(await upkeep.compact()).toMatchObject({ rewrittenFiles: 3, addedFiles: 1 });
    expect(await upkeep.expire()).toMatchObject({ snapshots: 3, deletedFiles: 9 });
    expect(await upkeep.removeOrphans(2)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
    expect(await upkeep.removeOrphans(4)).toEqual({ deletedFiles: 1, deletedBytes: 10 });
    await expectRows(table);
    const keys = await gateway.keys('warehouse/s3/kept/');
    expect(keys.filter((key) => key.endsWith('.parquet'))).toHaveLength(1);
    expect(await gateway.keys('warehouse/s3/kept-not/')).toHaveLength(1);
  });

  test('a load, when it is done again, is found; a source reads what was loaded', async () => {
    const table = lakehouse.table('s3.again');
    const load = { sql: 'SELECT range AS n FROM range(10)', loadName: 'run-1/out' };
    await table.load(load);
    expect(await table.load(load)).toMatchObject({ alreadyCommitted: true });
    expect(await lakehouse.judge.history(table.name)).toHaveLength(1);
    const outputFolder = await fixture.outputFolder();
    const source = { type: 'iceberg' as const, table: table.name };
    const request = { source, catalog: lakehouse.catalog, outputFolder };
    const read: Dataset = await extractIceberg(fixture.engine, request, fixture.context);
    expect(await fixture.rows(read, 'SELECT sum(n)::INT AS sum FROM data')).toEqual([{ sum: 45 }]);
  });
});

const quick = { initial_interval: '200ms', max_interval: '1s', max_attempts: 5 };
const isData = ({ method, path }: ProxiedRequest) => method === 'PUT' && path.includes('.parquet');
const isManifestList = ({ method, path }: ProxiedRequest) => method === 'PUT' && /\/snap-[^/]*\.avro/.test(path);
const isMetadata = ({ method, path }: ProxiedRequest) => method === 'PUT' && path.includes('.metadata.json');

describe('a load to a table on S3', () => {
  let proxy: KillingProxy;
  let service: Service;
  beforeAll(async () => {
    proxy = await KillingProxy.start(gateway.url, 'exact');
    service = await Service.start({
      ...gateway.environment,
      S3_ENDPOINT: proxy.url,
      ICEBERG_WAREHOUSE: 's3://lake/runs',
      HEARTBEAT_TIMEOUT: '3s',
    });
    await writeFile(join(service.folder, 'in.csv'), `n\n${Array.from({ length: 1000 }, (_, n) => n).join('\n')}\n`);
    await mkdir(join(service.folder, 'warehouse'));
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  test.each<[string, KillMoment, (request: ProxiedRequest) => boolean]>([
    ['before its rows are written', 'request', isData],
    ['when its rows are written, before it knows', 'answer', isData],
    ['when its snapshot is written, before that is committed', 'answer', isManifestList],
    ['when its metadata is written, before the catalog knows', 'answer', isMetadata],
    ['right after its commit, before that is recorded', 'later', isMetadata],
  ])(
    'when the service is killed %s, is one snapshot with the right rows',
    async (name, moment, isIt) => {
      const killed = proxy.killAt({ moment, isIt, laterMs: 10 }, () => service.kill('everything'));
      const table = name.replaceAll(/[^a-z]/g, '_');
      const pipelineId = await service.register({
        name: table.replaceAll('_', '-').slice(0, 40),
        version: '1',
        definition: {
          sources: { numbers: { type: 'file', path: join(service.folder, 'in.csv'), format: 'csv' } },
          sinks: { lake: { type: 'iceberg', from: 'numbers', table: `crash.${table}`, mode: 'append' } },
          orchestration: { retry: { extract_data: quick, load_to_iceberg: quick } },
        },
      });
      const { workflowId } = await service.execute(pipelineId);
      await killed;
      await service.start();
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      const judge = new Judge({
        catalogFile: join(service.dataDir, 'iceberg/catalog.db'),
        warehouse: join(service.folder, 'warehouse'),
        s3: gateway.pyiceberg,
      });
      expect(await judge.history(`crash.${table}`)).toHaveLength(1);
      const counts = await judge.counts(`crash.${table}`, 'n');
      expect(Object.keys(counts)).toHaveLength(1000);
      expect(new Set(Object.values(counts))).toEqual(new Set([1]));
    },
    150_000,
  );
});

describe('tables on S3 behind a REST catalog', () => {
  test("a load, when the service is killed with its commit's answer on the way, is one snapshot that others read and the service reads again", async () => {
    await using lake = await RestLakeOnS3.open(gateway);
    await using catalog = await KillingProxy.start(lake.server.url);
    await using service = await Service.start({
      ...gateway.environment,
      ICEBERG_REST_URI: catalog.url,
      STAGING_URI: 's3://lake/staging',
      HEARTBEAT_TIMEOUT: '3s',
    });
    await gateway.put('in/rest.csv', `n\n${Array.from({ length: 1000 }, (_, n) => n).join('\n')}\n`);
    const quick = { initial_interval: '300ms', max_interval: '1s', max_attempts: 20 };
    const load = await service.register({
      name: 'rest-on-s3',
      version: '1',
      definition: {
        sources: { numbers: { type: 'file', path: 's3://lake/in/rest.csv', format: 'csv' } },
        sinks: { lake: { type: 'iceberg', from: 'numbers', table: 'rest.numbers' } },
        orchestration: { retry: { load_to_iceberg: quick } },
      },
    });
    const killed = catalog.killAt({ moment: 'answer', isIt: isCommit }, () => service.kill('everything'));
    const { workflowId } = await service.execute(load);
    await killed;
    await service.start();
    expect(await service.ended(workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
    expect(await lake.judge.history('rest.numbers')).toHaveLength(1);
    const counts = await lake.judge.counts('rest.numbers', 'n');
    expect(Object.keys(counts)).toHaveLength(1000);
    expect(new Set(Object.values(counts))).toEqual(new Set([1]));
    // Where the catalog, and nobody else, said.
    expect(await gateway.keys('warehouse-of-rest/rest/numbers/data/')).not.toEqual([]);

    const sink = join(service.folder, 'again.csv');
    const again = await service.register({
      name: 'rest-on-s3-again',
      version: '1',
      definition: {
        sources: { numbers: { type: 'iceberg', table: 'rest.numbers' } },
        transformations: [{ name: 'summed', engine: 'sql', sql: 'select count(*) as rows, sum(n) as n from numbers' }],
        sinks: { out: { type: 'file', from: 'summed', path: sink, format: 'csv' } },
      },
    });
    const second = await service.execute(again);
    expect(await service.ended(second.workflowId, 60_000)).toMatchObject({ status: 'COMPLETED' });
    expect(await readFile(sink, 'utf8')).toBe('rows,n\n1000,499500\n');
  }, 240_000);
});

/** Apache's own catalog of its tests, which keeps the metadata of its tables on S3 by Iceberg's own S3FileIO. */
class RestLakeOnS3 implements AsyncDisposable {
  readonly server: IcebergRestServer;
  readonly judge: Judge;
  readonly #folder: string;

  static async open(s3: S3Gateway): Promise<RestLakeOnS3> {
    const folder = await mkdtemp(join(tmpdir(), 'pipeline-service-rest-on-s3-'));
    const catalogFile = join(folder, 'catalog.db');
    const server = await IcebergRestServer.start({
      catalogFile,
      warehouse: 's3://lake/warehouse-of-rest',
      gateway: s3,
    });
    return new RestLakeOnS3(folder, server, new Judge({ catalogFile, warehouse: folder, s3: s3.pyiceberg }));
  }

  private constructor(folder: string, server: IcebergRestServer, judge: Judge) {
    this.#folder = folder;
    this.server = server;
    this.judge = judge;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await rm(this.#folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}
