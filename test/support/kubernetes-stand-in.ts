/**
 * Stands in for a Kubernetes API server with the Spark operator: it keeps `SparkApplication` objects of one namespace
 * and answers 201, 404, 409 and 401 with the objects and the `Status` that the real one answers with. No driver runs:
 * the test says what the operator would write into an object's status.
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { KubeConfig } from '@kubernetes/client-node';
import { type AskedRequest, HttpFixture } from './http-fixture.ts';

export const NAMESPACE = 'spark-jobs';
const TOKEN = 'stand-in-token';
const COLLECTION = `/apis/sparkoperator.k8s.io/v1beta2/namespaces/${NAMESPACE}/sparkapplications`;
/** A driver's pod has so long to end before its application is gone. */
const GRACE_MS = 300;

export interface KeptApplication {
  metadata: {
    name: string;
    uid: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    creationTimestamp: string;
    deletionTimestamp?: string;
  };
  spec: {
    mainApplicationFile: string;
    arguments: string[];
    sparkConf: Record<string, string>;
    restartPolicy: { type: string };
  };
  status?: object;
}

export class KubernetesStandIn implements AsyncDisposable {
  /** By name, as they are now. */
  readonly applications = new Map<string, KeptApplication>();
  /** How often an object was created; 409 is none. */
  created = 0;
  /** By name of a pod. */
  readonly logs = new Map<string, string>();
  #fixture: HttpFixture | undefined;

  static async start(): Promise<KubernetesStandIn> {
    const standIn = new KubernetesStandIn();
    standIn.#fixture = await HttpFixture.start((asked, response) => standIn.#answer(asked, response));
    return standIn;
  }

  get url(): string {
    return this.#fixture?.url ?? '';
  }

  /** A kubeconfig, as KUBECONFIG would name it. */
  kubeconfig(url = this.url, token = TOKEN): string {
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'stand-in', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'service', user: { token } }],
      contexts: [{ name: 'stand-in', context: { cluster: 'stand-in', user: 'service' } }],
      'current-context': 'stand-in',
    });
  }

  config(url?: string, token?: string): KubeConfig {
    const config = new KubeConfig();
    config.loadFromString(this.kubeconfig(url, token));
    return config;
  }

  /** What the operator would write. */
  operatorSays(name: string, state: string, more: { errorMessage?: string; podName?: string } = {}): void {
    const kept = this.applications.get(name);
    if (kept === undefined) throw new Error(`there is no ${name}`);
    const { errorMessage, podName } = more;
    kept.status = {
      applicationState: { state, ...(errorMessage !== undefined && { errorMessage }) },
      driverInfo: { ...(podName !== undefined && { podName }) },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#fixture?.[Symbol.asyncDispose]();
  }

  #answer({ method, path, query, headers, body }: AskedRequest, response: ServerResponse): unknown {
    const [asked = ''] = path.split('?');
    if (headers.authorization !== `Bearer ${TOKEN}`) return refuse(response, 401, 'Unauthorized', 'Unauthorized');
    const log = /\/namespaces\/spark-jobs\/pods\/([^/]+)\/log$/.exec(asked)?.[1];
    if (log !== undefined) return this.#log(log, response);
    if (asked === COLLECTION && method === 'POST') return this.#create(JSON.parse(body) as KeptApplication, response);
    if (asked === COLLECTION) return { items: this.#labelled(query.get('labelSelector') ?? '') };
    const name = asked.startsWith(`${COLLECTION}/`) ? asked.slice(COLLECTION.length + 1) : '';
    const kept = this.applications.get(name);
    if (kept === undefined) {
      return refuse(response, 404, 'NotFound', `sparkapplications.sparkoperator.k8s.io "${name}" not found`);
    }
    if (method === 'DELETE') this.#delete(kept);
    return kept;
  }

  #create(body: KeptApplication, response: ServerResponse): unknown {
    const { name } = body.metadata;
    if (this.applications.has(name)) {
      const message = `sparkapplications.sparkoperator.k8s.io "${name}" already exists`;
      return refuse(response, 409, 'AlreadyExists', message);
    }
    this.created += 1;
    const metadata = { ...body.metadata, uid: randomUUID(), creationTimestamp: new Date().toISOString() };
    const kept = { ...body, metadata };
    this.applications.set(name, kept);
    response.statusCode = 201;
    return kept;
  }

  #delete(kept: KeptApplication): void {
    if (kept.metadata.deletionTimestamp !== undefined) return;
    kept.metadata.deletionTimestamp = new Date().toISOString();
    setTimeout(() => this.applications.delete(kept.metadata.name), GRACE_MS);
  }

  #labelled(selector: string): KeptApplication[] {
    const [label = '', value] = selector.split('=');
    return [...this.applications.values()].filter(({ metadata }) => metadata.labels[label] === value);
  }

  #log(pod: string, response: ServerResponse): unknown {
    const log = this.logs.get(pod);
    if (log === undefined) return refuse(response, 404, 'NotFound', `pods "${pod}" not found`);
    response.setHeader('content-type', 'text/plain');
    response.end(log);
    return undefined;
  }
}

function refuse(response: ServerResponse, code: number, reason: string, message: string): object {
  response.statusCode = code;
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}
