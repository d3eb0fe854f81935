/**
 * The whole service with its tables in a REST catalog: SIGKILL at each point around a commit, a catalog that is away, tokens
 * that end. Service, Temporal, the catalog and the readers that judge the tables are real; that it asks for tokens is a stand-in's doing.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { Service } from '../support/service.ts';
import { TokenGuard } from '../support/token-guard.ts';
import { openRestLakehouse } from './iceberg-rest-lakehouse.ts';
import { crashesSuite } from './iceberg-rest-service/crashes.suite.ts';
import { credentialsSuite } from './iceberg-rest-service/credentials.suite.ts';
import { pass, ROWS, type Subject } from './iceberg-rest-service/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const rest = await openRestLakehouse();
  started.defer(() => rest.close());
  const guard = new TokenGuard({ id: 'service', secret: 'a-secret:of/the+catalog' });
  const environment = {
    ICEBERG_REST_URI: rest.proxy.url,
    ICEBERG_CREDENTIAL: `${guard.credential.id}:${guard.credential.secret}`,
    HEARTBEAT_TIMEOUT: '3s',
  };
  const service = started.use(await Service.start(environment));
  const csv = path.join(service.folder, 'input.csv');
  await writeFile(csv, `n,part\n${Array.from({ length: ROWS }, (_, n) => `${n},${n % 3}`).join('\n')}\n`);
  subject = { service, rest, guard, environment, csv };
}, 600_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  pass(subject);
});

crashesSuite(() => subject);
credentialsSuite(() => subject);
