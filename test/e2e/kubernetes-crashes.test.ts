/**
 * SIGKILL of the whole service at every point where it knows less than Kubernetes does. The API server is a stand-in that
 * keeps `SparkApplication` objects, in which they are counted; what operator and driver do, `operate` does: no Spark runs.
 */
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { KillingProxy, type ProxiedAnswer, type ProxiedRequest } from '../support/killing-proxy.ts';
import { type KeptApplication, KubernetesStandIn, NAMESPACE } from '../support/kubernetes-stand-in.ts';
import { Service } from '../support/service.ts';

let standIn: KubernetesStandIn;
let proxy: KillingProxy;
let service: Service;
const started = new AsyncDisposableStack();
let runs = 0;

beforeAll(async () => {
  standIn = started.use(await KubernetesStandIn.start());
  proxy = started.use(await KillingProxy.start(standIn.url));
  const folder = await mkdtemp(join(tmpdir(), 'pipeline-service-kubeconfig-'));
  started.defer(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 }));
  const kubeconfig = join(folder, 'config');
  await writeFile(kubeconfig, standIn.kubeconfig(proxy.url));
  service = started.use(
    await Service.start({ SPARK_K8S_NAMESPACE: NAMESPACE, KUBECONFIG: kubeconfig, HEARTBEAT_TIMEOUT: '3s' }),
  );
  await writeFile(join(service.folder, 'numbers.csv'), 'n\n1\n2\n3\n');
}, 300_000);
afterAll(() => started.disposeAsync());
afterEach(() => {
  proxy.hooks = {};
});

interface Point {
  at: 'request' | 'answer';
  isIt: (request: ProxiedRequest, answer?: ProxiedAnswer) => boolean;
}

const isCreation = ({ method }: ProxiedRequest) => method === 'POST';
const says =
  (state: string): Point['isIt'] =>
  ({ method, path }, answer) =>
    method === 'GET' && /\/sparkapplications\/ps-/.test(path) && answer?.body.includes(`"${state}"`) === true;

test.each<[string, Point]>([
  ['before it creates the application', { at: 'request', isIt: isCreation }],
  ['when the application is created, before it knows', { at: 'answer', isIt: isCreation }],
  ['while it awaits the end', { at: 'answer', isIt: says('RUNNING') }],
  ['when the application has completed, before that is recorded', { at: 'answer', isIt: says('COMPLETED') }],
])(
  'the service, when it is killed %s, has one SparkApplication and its output once',
  async (_, { at, isIt }) => {
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const kill = async (): Promise<'cut'> => {
      proxy.hooks = { onRequest: () => 'cut' };
      await service.kill('everything');
      resolve();
      return 'cut';
    };
    proxy.hooks =
      at === 'request'
        ? { onRequest: (request) => (isIt(request) ? kill() : undefined) }
        : { onAnswer: (request, answer) => (isIt(request, answer) ? kill() : undefined) };
    const before = new Set(standIn.applications.keys());
    const created = standIn.created;
    const { workflowId, sink } = await startRun();
    const operating = operate(before);
    await killed;
    proxy.hooks = {};
    await service.start();
    expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
    await operating;
    expect((await service.file(sink)).trim().split('\n')).toEqual(['n', '1', '2', '3']);
    expect(standIn.created - created).toBe(1);
    expect(Array.from(standIn.applications.keys()).filter((name) => !before.has(name))).toEqual([
      expect.stringMatching(/^ps-[0-9a-f]{20}-g1$/),
    ]);
  },
  150_000,
);

/** Runs a pipeline of its own: numbers from a file, through an application, into a file. */
async function startRun() {
  runs += 1;
  const name = `kubernetes-${runs}`;
  const sink = `${name}.csv`;
  const quick = { initial_interval: '200ms', max_interval: '1s', max_attempts: 3 };
  const pipelineId = await service.register({
    name,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(service.folder, 'numbers.csv'), format: 'csv' } },
      transformations: [{ name: 'job', engine: 'spark', application: 'local:///opt/jobs/copy.py' }],
      sinks: { file: { type: 'file', from: 'job', path: join(service.folder, sink), format: 'csv' } },
      orchestration: { retry: { run_spark_job: quick, write_file: quick } },
    },
  });
  return { ...(await service.execute(pipelineId)), sink };
}

/** What the operator and the driver of the one application do that is not there yet. Ends when they have. */
async function operate(before: ReadonlySet<string>): Promise<void> {
  let found: KeptApplication | undefined;
  while (found === undefined) {
    found = [...standIn.applications.values()].find(({ metadata }) => !before.has(metadata.name));
    await sleep(20);
  }
  const { name } = found.metadata;
  standIn.operatorSays(name, 'RUNNING');
  const seen = ({ request, answer }: { request: ProxiedRequest; answer: ProxiedAnswer }) =>
    request.path.endsWith(`/${name}`) && answer.body.includes('"RUNNING"');
  while (!proxy.answered.some(seen)) await sleep(20);
  await copyRows(found);
  standIn.operatorSays(name, 'COMPLETED');
}

/** The driver's work: its input is its output. */
async function copyRows({ spec }: KeptApplication): Promise<void> {
  const context = JSON.parse(spec.sparkConf['spark.pipeline.context'] ?? '') as {
    inputs: { numbers: string };
    output: string;
  };
  const [from, to] = [context.inputs.numbers, context.output].map((uri) => fileURLToPath(uri));
  for (const file of await readdir(from ?? '')) await cp(join(from ?? '', file), join(to ?? '', file));
}
