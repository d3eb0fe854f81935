/**
 * Before the first test: a Temporal command is obtained, which may take minutes the first time. The server that tests
 * share is started when the first of them asks for it, and ends after the last.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { loadConfig } from '../../src/config.ts';
import { messageOf } from '../../src/errors.ts';
import { createLogger } from '../../src/logger.ts';
import { startDevServer, type DevServer } from '../../src/temporal/dev-server.ts';
import { findTemporal } from '../../src/temporal/find-temporal.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The `temporal` command. */
    temporalBinary: string;
    /** Answers `{address, namespace}` of the shared server. */
    temporalBroker: string;
  }
}

/** Every file of tests gets the next one: no two that run at a time share task queues. */
const NAMESPACES = Array.from({ length: 12 }, (_, index) => `test-${index + 1}`);

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const { cacheDir } = loadConfig({ XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] });
  const binary = await findTemporal(cacheDir, (line) => process.stderr.write(`${line}\n`));
  project.provide('temporalBinary', binary);

  let shared: Promise<DevServer> | undefined;
  let handedOut = 0;
  const broker = createServer((_, response) => {
    shared ??= startDevServer({
      binary,
      namespaces: NAMESPACES,
      logger: createLogger('error'),
      dataDir: undefined,
    });
    const namespace = NAMESPACES[handedOut++ % NAMESPACES.length];
    shared.then(
      ({ address }) => response.end(JSON.stringify({ address, namespace })),
      (error: unknown) => response.writeHead(500).end(messageOf(error)),
    );
  });
  broker.listen(0, '127.0.0.1');
  await once(broker, 'listening');
  project.provide('temporalBroker', `http://127.0.0.1:${(broker.address() as AddressInfo).port}/`);

  return async () => {
    broker.close();
    broker.closeAllConnections();
    await (await shared)?.stop();
  };
}
