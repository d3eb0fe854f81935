/** The connection to Temporal: one for each process, for its client and all its workers. */
import { Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { NativeConnection } from '@temporalio/worker';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { StartupError } from '../startup-error.ts';
import { hasGrpcStatus } from './grpc-status.ts';

const CONNECT_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 5000;
const RETRY_WAIT_MS = 250;
/** Of a namespace that we make; whatever we need for longer is in the registry. */
const RETENTION = '3 days';

export interface TemporalAddress {
  /** host:port */
  address: string;
  namespace: string;
  apiKey: string | undefined;
  /** PEM texts; TLS is used when there is any, or an API key. */
  tls: { certificate: string | undefined; key: string | undefined; authority: string | undefined };
}

export interface TemporalConnection {
  /** Shared with the workers: a workflow that is started here then starts on a worker of this process without a round trip. */
  connection: NativeConnection;
  client: Client;
  /** Only after all workers on it have ended. */
  close(): Promise<void>;
}

/**
 * Connects, waiting up to 30 s for the server, and makes the namespace when there is none.
 * @throws StartupError that names the variables
 */
export async function connectTemporal(temporal: TemporalAddress, logger: Logger): Promise<TemporalConnection> {
  const { address, namespace } = temporal;
  const connection = await patiently(
    () => NativeConnection.connect(connectionOptions(temporal)),
    (why) => `TEMPORAL_ADDRESS ${address}: no Temporal server answers there (${why})`,
  );
  try {
    await ensureNamespace(connection, temporal, logger);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return { connection, client: new Client({ connection, namespace }), close: () => connection.close() };
}

function connectionOptions({ address, apiKey, tls }: TemporalAddress) {
  const encrypted = apiKey !== undefined || Object.values(tls).some((pem) => pem !== undefined);
  const bytes = (pem: string) => Buffer.from(pem);
  return {
    address,
    ...(apiKey === undefined ? {} : { apiKey }),
    tls: encrypted && {
      ...(tls.authority === undefined ? {} : { serverRootCACertificate: bytes(tls.authority) }),
      ...(tls.certificate === undefined || tls.key === undefined
        ? {}
        : { clientCertPair: { crt: bytes(tls.certificate), key: bytes(tls.key) } }),
    },
  };
}

async function ensureNamespace(connection: NativeConnection, temporal: TemporalAddress, logger: Logger): Promise<void> {
  const { address, namespace } = temporal;
  const service = connection.workflowService;
  const within = <T>(call: () => Promise<T>) => connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
  const exists = await patiently(
    () => within(() => service.describeNamespace({ namespace })).then(() => true, isMissing),
    (why) => `TEMPORAL_NAMESPACE ${namespace} at ${address} cannot be asked for (${why})`,
  );
  if (exists) return;
  logger.warn({ namespace, address }, 'Making the Temporal namespace, since there is none of this name');
  await patiently(
    () => within(() => service.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs(RETENTION) })),
    (why) =>
      `TEMPORAL_NAMESPACE ${namespace} is missing at ${address} and cannot be made (${why}): ` +
      `temporal operator namespace create -n ${namespace}`,
  );
  // The server's caches learn of a namespace some seconds later.
  await patiently(
    () => within(() => service.countWorkflowExecutions({ namespace })),
    (why) => `TEMPORAL_NAMESPACE ${namespace} was made at ${address} but is not usable (${why})`,
  );
}

function isMissing(error: unknown): false {
  if (hasGrpcStatus(error, 'NOT_FOUND')) return false;
  throw error;
}

/** Tries until it succeeds, for 30 s. */
async function patiently<T>(attempt: () => Promise<T>, message: (why: string) => string): Promise<T> {
  const deadlineMs = performance.now() + CONNECT_TIMEOUT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadlineMs) throw new StartupError(message(messageOf(error)), { cause: error });
      await sleep(RETRY_WAIT_MS);
    }
  }
}
