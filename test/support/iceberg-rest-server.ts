/**
 * An Iceberg REST catalog for tests: the one of Apache Iceberg's own tests (test/engines/iceberg-rest), in front of an
 * SQLite catalog that pyiceberg and Spark read directly. Needs Java 17 and Maven.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { cachedBuild } from './cached-build.ts';
import { QUICK_JAVA } from './quick-java.ts';
import type { S3Gateway } from './s3-gateway.ts';

const SOURCES = path.join(import.meta.dirname, '../engines/iceberg-rest');
const MAIN = path.join(SOURCES, 'LoopbackRest.java');
const POM = path.join(SOURCES, 'pom.xml');

export interface IcebergRestPlace {
  /** The SQLite file. */
  catalogFile: string;
  /** The folder below which tables get their locations, or `s3://bucket/prefix`. */
  warehouse: string;
  /** What it reaches tables on S3 with. */
  gateway?: S3Gateway;
}

export class IcebergRestServer {
  readonly #place: IcebergRestPlace;
  #child: ChildProcess | undefined;
  #port = 0;

  private constructor(place: IcebergRestPlace) {
    this.#place = place;
  }

  static async start(place: IcebergRestPlace): Promise<IcebergRestServer> {
    const server = new IcebergRestServer(place);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Starts it, again where it was. */
  async start(): Promise<void> {
    const built = await installIcebergRest();
    const { gateway: s3, warehouse } = this.#place;
    const libraries = [
      `${built}/classes`,
      `${built}/lib/*`,
      ...(s3 === undefined ? [] : [`${await installIcebergS3()}/*`]),
    ];
    const child = spawn(
      'java',
      [
        ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', libraries.join(':')],
        ...['LoopbackRest', String(this.#port), 'matih', 'catalog-impl=org.apache.iceberg.jdbc.JdbcCatalog'],
        ...[`uri=jdbc:sqlite:${this.#place.catalogFile}`, 'jdbc.schema-version=V1'],
        ...(s3 === undefined ? [`warehouse=file://${warehouse}`] : [`warehouse=${warehouse}`, ...fileIoOf(s3)]),
      ],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, ...QUICK_JAVA, ...s3?.environment, AWS_REGION: 'us-east-1' },
      },
    );
    this.#child = child;
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    const [line] = (await Promise.race([
      once(createInterface(child.stdout), 'line'),
      once(child, 'exit'),
    ])) as unknown[];
    const port = typeof line === 'string' ? /^ready (\d+)$/.exec(line)?.[1] : undefined;
    if (port === undefined) throw new Error(`The Iceberg REST catalog did not start:\n${said}`);
    this.#port = Number(port);
  }

  /** As a crash ends it. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

function fileIoOf({ url }: S3Gateway): string[] {
  return [
    'io-impl=org.apache.iceberg.aws.s3.S3FileIO',
    `s3.endpoint=${url}`,
    's3.path-style-access=true',
    'client.region=us-east-1',
  ];
}

/** The folder of Iceberg's own file IO for S3, beside the catalog. */
export function installIcebergS3(): Promise<string> {
  const pom = path.join(SOURCES, 's3-pom.xml');
  return cachedBuild({
    name: 'iceberg-rest-s3',
    madeFrom: [pom],
    build: async (folder, run) => {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`, '-DexcludeTransitive=true'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', pom, ...copy]);
    },
  });
}

/** The folder of the catalog's classes and libraries. */
export function installIcebergRest(): Promise<string> {
  return cachedBuild({
    name: 'iceberg-rest',
    madeFrom: [MAIN, POM],
    build: async (folder, run) => {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}/lib`, '-DincludeScope=runtime'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', POM, ...copy]);
      await run('javac', ['-cp', `${folder}/lib/*`, '-d', `${folder}/classes`, MAIN]);
    },
  });
}
