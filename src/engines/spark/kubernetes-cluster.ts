/**
 * A namespace of a Kubernetes cluster where the Spark operator works: its `SparkApplication` objects, and the one place
 * where the API server's answers become errors. The client library is large, so only who needs this file loads it.
 */
import {
  ApiException,
  type ConfigurationOptions,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
} from '@kubernetes/client-node';
import * as z from 'zod';
import { EngineError, messageOf } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { SPARK_APPLICATIONS } from './spark-application.ts';

const TIMEOUT_MS = 30_000;
const LOG_LINES = 40;
const LOG_BYTES = 8_000;
const LISTED = 500;

const sparkApplication = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  status: z
    .object({
      applicationState: z.object({ state: z.string().default(''), errorMessage: z.string().optional() }).optional(),
      driverInfo: z.object({ podName: z.string().optional(), webUIIngressAddress: z.string().optional() }).optional(),
    })
    .default({}),
});
const listed = z.object({ items: z.array(sparkApplication) });
const refusal = z.object({ message: z.string() });

export type SeenApplication = z.output<typeof sparkApplication>;

export class KubernetesCluster {
  readonly namespace: string;
  readonly #server: string;
  readonly #objects: CustomObjectsApi;
  readonly #core: CoreV1Api;

  /** The cluster that KUBECONFIG names, `~/.kube/config`, or the one that this process runs in. */
  static default(namespace: string): KubernetesCluster {
    const config = new KubeConfig();
    config.loadFromDefault();
    return new KubernetesCluster(namespace, config);
  }

  constructor(namespace: string, config: KubeConfig) {
    this.namespace = namespace;
    this.#server = (config.getCurrentCluster()?.server ?? '').replace(/\/+$/, '');
    this.#objects = config.makeApiClient(CustomObjectsApi);
    this.#core = config.makeApiClient(CoreV1Api);
  }

  /** What the API server says of an application: its answer to anybody who may ask. */
  link(name: string): string {
    const { group, version, plural } = SPARK_APPLICATIONS;
    return `${this.#server}/apis/${group}/${version}/namespaces/${this.namespace}/${plural}/${name}`;
  }

  /** Undefined when there is none of that name. */
  find(name: string, signal: AbortSignal): Promise<SeenApplication | undefined> {
    const asked = { ...this.#where, name };
    return this.#call(sparkApplication, (options) => this.#objects.getNamespacedCustomObject(asked, options), {
      signal,
      none: 404,
    });
  }

  /** Those with a label. */
  async list(label: string, signal: AbortSignal): Promise<SeenApplication[]> {
    const asked = { ...this.#where, labelSelector: label, limit: LISTED };
    const found = await this.#call(listed, (options) => this.#objects.listNamespacedCustomObject(asked, options), {
      signal,
    });
    return found?.items ?? [];
  }

  /** Undefined when there is one of that name. */
  create(body: JsonObject, signal: AbortSignal): Promise<SeenApplication | undefined> {
    const asked = { ...this.#where, body };
    return this.#call(sparkApplication, (options) => this.#objects.createNamespacedCustomObject(asked, options), {
      signal,
      none: 409,
    });
  }

  /** Ends an application; it is gone when its driver is. Harmless when there is none. */
  async delete(name: string, signal: AbortSignal): Promise<void> {
    const asked = { ...this.#where, name, propagationPolicy: 'Foreground' };
    await this.#call(z.unknown(), (options) => this.#objects.deleteNamespacedCustomObject(asked, options), {
      signal,
      none: 404,
    });
  }

  /** The end of what a pod said; undefined when it is gone. */
  endOfLog(pod: string, signal: AbortSignal): Promise<string | undefined> {
    const asked = { namespace: this.namespace, name: pod, tailLines: LOG_LINES };
    const text = z.string().transform((log) => log.slice(-LOG_BYTES));
    return this.#call(text, (options) => this.#core.readNamespacedPodLog(asked, options), { signal, none: 404 });
  }

  get #where() {
    return { ...SPARK_APPLICATIONS, namespace: this.namespace };
  }

  /** Undefined for the status that means "none". */
  async #call<T>(
    schema: z.ZodType<T>,
    exchange: (options: ConfigurationOptions) => Promise<unknown>,
    { signal, none }: { signal: AbortSignal; none?: number },
  ): Promise<T | undefined> {
    signal.throwIfAborted();
    let answer: unknown;
    try {
      answer = await exchange(endingWith(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ApiException)) throw this.#away(error);
      if (error.code === none) return undefined;
      throw refused(error as ApiException<unknown>);
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new EngineError('UnsupportedError', `Kubernetes answered something else than a SparkApplication`);
  }

  #away(error: unknown): EngineError {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return new EngineError('UnavailableError', `Kubernetes at ${this.#server} is away: ${messageOf(cause)}`, {
      cause: error,
    });
  }
}

/** An exchange of the library that ends with a signal. */
function endingWith(signal: AbortSignal): ConfigurationOptions {
  const middleware: ObservableMiddleware = {
    pre: (request) => {
      request.setSignal(signal);
      return new Observable(Promise.resolve(request));
    },
    post: (response) => new Observable(Promise.resolve(response)),
  };
  return { middleware: [middleware], middlewareMergeStrategy: 'append' };
}

/** The message of a `Status`, which is what the API server answers when it refuses. */
function refused({ code, body }: ApiException<unknown>): EngineError {
  const said = refusal.safeParse(typeof body === 'string' ? parse(body) : body);
  const message = `Kubernetes answered ${code}${said.success ? `: ${said.data.message}` : ''}`;
  if (code === 401 || code === 403) {
    const whose = 'see the user in KUBECONFIG, or the service account of this process';
    return new EngineError('PermissionDeniedError', `${message}; ${whose}`);
  }
  const away = code === 408 || code === 429 || code >= 500;
  return new EngineError(away ? 'UnavailableError' : 'ValidationError', message);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
