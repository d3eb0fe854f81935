/**
 * An S3 service for tests: the Versity gateway over a folder of this machine, built once with Go at a pinned version,
 * outside the work tree. On loopback, on a port of its own that it keeps when it is started again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { openS3, type S3Settings } from '../../src/engines/s3/open-s3.ts';
import type { S3Objects } from '../../src/engines/s3/s3-objects.ts';
import { freePorts } from '../../src/temporal/free-ports.ts';
import { cachedBuild } from './cached-build.ts';

/** What `go install` takes: the module at its version. */
const MODULE = path.join(import.meta.dirname, '../engines/versitygw.txt');
const READY_WITHIN_MS = 90_000;
const BUCKET = 'lake';
const ACCESS_KEY_ID = 'PIPELINETESTKEY00001';
export const SECRET_ACCESS_KEY = 'a-secret-that-must-be-in-no-log-0123456789';

export class S3Gateway implements AsyncDisposable {
  readonly #program: string;
  readonly #folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  /** With one bucket, {@link BUCKET}. */
  static async start(): Promise<S3Gateway> {
    const program = path.join(await installS3Gateway(), 'versitygw');
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-s3-'));
    for (const part of ['buckets', 'metadata', 'versions']) await mkdir(path.join(folder, part));
    const [port = 0] = await freePorts([undefined]);
    const gateway = new S3Gateway(program, folder, port);
    await gateway.start();
    await gateway.#makeBucket();
    return gateway;
  }

  private constructor(program: string, folder: string, port: number) {
    this.#program = program;
    this.#folder = folder;
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What a service is started with to find it. */
  get environment(): Record<string, string> {
    return { S3_ENDPOINT: this.url, AWS_ACCESS_KEY_ID: ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: SECRET_ACCESS_KEY };
  }

  /** What pyiceberg is told to read tables there. */
  get pyiceberg(): Record<string, string> {
    return {
      's3.endpoint': this.url,
      's3.access-key-id': ACCESS_KEY_ID,
      's3.secret-access-key': SECRET_ACCESS_KEY,
      's3.region': 'us-east-1',
    };
  }

  settings(changed: Partial<S3Settings> = {}): S3Settings {
    return {
      endpoint: this.url,
      region: undefined,
      accessKeyId: ACCESS_KEY_ID,
      secretAccessKey: SECRET_ACCESS_KEY,
      sessionToken: undefined,
      ...changed,
    };
  }

  open(changed: Partial<S3Settings> = {}): S3Objects {
    return openS3(this.settings(changed));
  }

  /** A client of the tests' own, for what the service does not do. */
  client(): S3Client {
    const credentials = { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET_ACCESS_KEY };
    return new S3Client({ endpoint: this.url, forcePathStyle: true, region: 'us-east-1', credentials });
  }

  async put(key: string, content: string | Uint8Array): Promise<string> {
    await this.client().send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: content }));
    return `s3://${BUCKET}/${key}`;
  }

  async get(key: string): Promise<Buffer> {
    const { Body } = await this.client().send(new GetObjectCommand({ Bucket: BUCKET, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  async keys(prefix = ''): Promise<string[]> {
    const { Contents = [] } = await this.client().send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }));
    return Contents.map(({ Key = '' }) => Key);
  }

  /** How often an object was written, whoever did it: the bucket keeps all versions. */
  async versions(key: string): Promise<number> {
    const listed = await this.client().send(new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: key }));
    return (listed.Versions ?? []).filter((version) => version.Key === key).length;
  }

  /** Starts it, again where it was. */
  async start(): Promise<void> {
    const child = spawn(
      this.#program,
      [
        ...['--port', `127.0.0.1:${this.#port}`, '--access', ACCESS_KEY_ID, '--secret', SECRET_ACCESS_KEY, '--quiet'],
        ...['posix', '--sidecar', path.join(this.#folder, 'metadata')],
        ...['--versioning-dir', path.join(this.#folder, 'versions'), path.join(this.#folder, 'buckets')],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4_000);
      });
    }
    const deadlineMs = Date.now() + READY_WITHIN_MS;
    while (!(await answers(this.url))) {
      if (child.exitCode !== null || Date.now() > deadlineMs) throw new Error(`The S3 gateway did not start:\n${said}`);
      await sleep(50);
    }
  }

  /** As a crash ends it; what it has acknowledged is still there. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async #makeBucket(): Promise<void> {
    await this.client().send(new CreateBucketCommand({ Bucket: BUCKET }));
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await this.client().send(new PutBucketVersioningCommand({ Bucket: BUCKET, VersioningConfiguration }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}

/** The folder of the program. */
export function installS3Gateway(): Promise<string> {
  return cachedBuild({
    name: 'versitygw',
    madeFrom: [MODULE],
    build: async (folder, run) => {
      const module = (await readFile(MODULE, 'utf8')).trim();
      await run('env', [`GOBIN=${folder}`, 'GOFLAGS=-trimpath', 'go', 'install', module]);
    },
  });
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  );
}
