/** Jobs through the Spark operator, on a stand-in API server that keeps `SparkApplication` objects; no driver runs. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engines/dataset.ts';
import { LocalJobFolder } from '../../../src/engines/local-job-folder.ts';
import { KubernetesCluster } from '../../../src/engines/spark/kubernetes-cluster.ts';
import { KubernetesSubmitter } from '../../../src/engines/spark/kubernetes-submitter.ts';
import type { SparkJob } from '../../../src/engines/spark/spark-submitter.ts';
import { KillingProxy } from '../../support/killing-proxy.ts';
import { KubernetesStandIn, NAMESPACE } from '../../support/kubernetes-stand-in.ts';

const PREFIX = 'ps-0123456789abcdef0123-g';
const FIRST = `${PREFIX}1`;

let standIn: KubernetesStandIn;
let folder: string;
let submitter: KubernetesSubmitter;
let links: string[];

beforeEach(async () => {
  standIn = await KubernetesStandIn.start();
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-kubernetes-'));
  submitter = new KubernetesSubmitter(new KubernetesCluster(NAMESPACE, standIn.config()));
  links = [];
});
afterEach(async () => {
  await standIn[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
});

function job(changes: Partial<SparkJob> = {}): SparkJob {
  return {
    prefix: PREFIX,
    application: 's3a://jobs/daily.py',
    args: ['--deep', '2'],
    conf: { 'spark.kubernetes.container.image': 'apache/spark-py:4.1.4' },
    folderOf: async (name) => {
      const path = join(folder, name, '/');
      await mkdir(path, { recursive: true });
      return new LocalJobFolder(path);
    },
    contextOf: (output) => Promise.resolve({ step: 'transform:daily', output }),
    started: (url) => Promise.resolve(void links.push(url)),
    ...changes,
  };
}

function context(signal = new AbortController().signal): EngineContext {
  return { signal, log: () => undefined, progress: () => undefined };
}

async function created(name = FIRST): Promise<void> {
  while (!standIn.applications.has(name)) await sleep(10);
}

describe('a SparkApplication on a stand-in API server', () => {
  test('when it completes, has been asked for by name with what the step says, and tells where its output is', async () => {
    const running = submitter.run(job(), context());
    await created();
    standIn.operatorSays(FIRST, 'RUNNING');
    await sleep(700);
    standIn.operatorSays(FIRST, 'COMPLETED');
    const { jobName, output, url } = await running;
    expect(jobName).toBe(FIRST);
    expect(output).toBe(pathToFileURL(join(folder, FIRST, 'output/')).href);
    expect(url).toBe(
      `${standIn.url}/apis/sparkoperator.k8s.io/v1beta2/namespaces/${NAMESPACE}/sparkapplications/${FIRST}`,
    );
    expect(links).toEqual([url]);
    const { spec, metadata } = standIn.applications.get(FIRST) ?? {};
    expect(metadata?.labels).toMatchObject({ 'pipeline-service/step': 'ps-0123456789abcdef0123' });
    expect(spec).toMatchObject({
      mainApplicationFile: 's3a://jobs/daily.py',
      arguments: ['--deep', '2'],
      restartPolicy: { type: 'Never' },
      sparkConf: {
        'spark.app.name': FIRST,
        'spark.kubernetes.container.image': 'apache/spark-py:4.1.4',
        'spark.pipeline.context': JSON.stringify({ step: 'transform:daily', output }),
      },
    });
  });

  test('when the application is a file here, is given a copy in staging, which drivers see at the same path', async () => {
    const application = join(folder, 'app.py');
    await writeFile(application, 'print(1)\n');
    const running = submitter.run(job({ application }), context());
    await created();
    const given = standIn.applications.get(FIRST)?.spec.mainApplicationFile ?? '';
    expect(given).toBe(`local://${join(folder, FIRST, 'application/app.py')}`);
    expect(await readFile(given.replace('local://', ''), 'utf8')).toBe('print(1)\n');
    standIn.operatorSays(FIRST, 'COMPLETED');
    await running;
  });

  test.each(['', 'SUBMITTED', 'RUNNING', 'UNKNOWN', 'PENDING_RERUN', 'SUBMISSION_FAILED', 'COMPLETED'])(
    'when the first one is in state "%s", is adopted by whoever comes next and not created again',
    async (state) => {
      const first = new AbortController();
      const left = submitter.run(job(), context(first.signal)).catch(() => undefined);
      await created();
      first.abort(new Error('the worker ends'));
      await left;
      standIn.operatorSays(FIRST, state);
      const next = submitter.run(job(), context());
      await sleep(600);
      standIn.operatorSays(FIRST, 'COMPLETED');
      expect(await next).toMatchObject({ jobName: FIRST });
      expect(standIn.created).toBe(1);
    },
  );

  test('when two create it at the same time, is created once and awaited by both', async () => {
    const both = [submitter.run(job(), context()), submitter.run(job(), context())];
    await created();
    await sleep(300);
    standIn.operatorSays(FIRST, 'COMPLETED');
    expect((await Promise.all(both)).map(({ jobName }) => jobName)).toEqual([FIRST, FIRST]);
    expect(standIn.created).toBe(1);
  });

  test('when the answer to its creation is lost, is found', async () => {
    await using proxy = await KillingProxy.start(standIn.url);
    const through = new KubernetesSubmitter(new KubernetesCluster(NAMESPACE, standIn.config(proxy.url)));
    proxy.hooks = { onAnswer: ({ method }) => (method === 'POST' ? 'cut' : undefined) };
    await expect(through.run(job(), context())).rejects.toMatchObject({ type: 'UnavailableError' });
    proxy.hooks = {};
    const next = through.run(job(), context());
    standIn.operatorSays(FIRST, 'COMPLETED');
    await next;
    expect(standIn.created).toBe(1);
  });

  test('when one of its name asks for something else, is refused', async () => {
    const left = submitter.run(job(), context());
    await created();
    await expect(submitter.run(job({ args: ['other'] }), context())).rejects.toMatchObject({
      type: 'ValidationError',
      message: `Kubernetes has a SparkApplication ${FIRST} that asks for something else than this step`,
    });
    standIn.operatorSays(FIRST, 'COMPLETED');
    await left;
  });

  test("when it fails, says why with the end of its driver's log, and the next attempt has the next name", async () => {
    standIn.logs.set('driver-pod', 'it rains\nValueError: not today\n');
    const failing = submitter.run(job(), context());
    await created();
    standIn.operatorSays(FIRST, 'FAILED', { errorMessage: 'driver container failed', podName: 'driver-pod' });
    await expect(failing).rejects.toMatchObject({
      type: 'JobFailedError',
      message: `The SparkApplication ${FIRST} failed: driver container failed\nThe end of its driver's log:\nit rains\nValueError: not today`,
    });
    const next = submitter.run(job(), context());
    await created(`${PREFIX}2`);
    standIn.operatorSays(`${PREFIX}2`, 'COMPLETED');
    expect(await next).toMatchObject({ jobName: `${PREFIX}2` });
    expect(standIn.created).toBe(2);
  });

  test('when somebody deletes it, is not created again, since nobody knows how it ended', async () => {
    const running = submitter.run(job(), context());
    const deleted = { type: 'UnsupportedError', message: expect.stringContaining('was deleted') as string };
    const refused = expect(running).rejects.toMatchObject(deleted);
    await created();
    await sleep(300);
    standIn.applications.delete(FIRST);
    await refused;
    await expect(submitter.run(job(), context())).rejects.toMatchObject(deleted);
    expect(standIn.created).toBe(1);
  });

  test('when the API server is away for a while, is awaited all the same', async () => {
    await using proxy = await KillingProxy.start(standIn.url);
    const through = new KubernetesSubmitter(new KubernetesCluster(NAMESPACE, standIn.config(proxy.url)));
    const running = through.run(job(), context());
    await created();
    proxy.hooks = { onRequest: () => 'cut' };
    await sleep(1_500);
    standIn.operatorSays(FIRST, 'COMPLETED');
    proxy.hooks = { onRequest: ({ path }) => (path.includes('nothing') ? 'cut' : undefined) };
    expect(await running).toMatchObject({ jobName: FIRST });
  });

  test('when the token is a bad one, is refused as such', async () => {
    const stranger = new KubernetesSubmitter(new KubernetesCluster(NAMESPACE, standIn.config(undefined, 'bad')));
    await expect(stranger.run(job(), context())).rejects.toMatchObject({
      type: 'PermissionDeniedError',
      message: 'Kubernetes answered 401; see the user in KUBECONFIG, or the service account of this process',
    });
  });

  test('when the step is stopped, is gone, and one that has ended stays', async () => {
    const failing = submitter.run(job(), context());
    await created();
    standIn.operatorSays(FIRST, 'FAILED');
    await expect(failing).rejects.toMatchObject({ type: 'JobFailedError' });
    const waiting = new AbortController();
    const left = submitter.run(job(), context(waiting.signal)).catch(() => undefined);
    await created(`${PREFIX}2`);
    waiting.abort(new Error('cancelled'));
    await left;
    await submitter.stop(job(), context());
    expect([...standIn.applications.keys()]).toEqual([FIRST]);
  });
});
