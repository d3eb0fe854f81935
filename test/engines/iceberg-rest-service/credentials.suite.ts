/** Tokens that end, and catalogs that refuse. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ProxiedRequest } from '../../support/killing-proxy.ts';
import { isCommit } from '../iceberg-rest-lakehouse.ts';
import { expectOneLoad, pass, startRun, type Subject } from './subject.ts';

const isStage = ({ method, path: asked }: ProxiedRequest): boolean => method === 'POST' && asked.endsWith('/tables');

export function credentialsSuite(subjectOf: () => Subject): void {
  describe('a load through a REST catalog', () => {
    test('when its token is taken no more, at the commit too, gets another one and is one snapshot', async () => {
      const subject = subjectOf();
      const { service, rest, guard } = subject;
      const issued = guard.issued.length;
      let revoked = 0;
      rest.proxy.hooks = {
        onRequest: (request) => {
          if ((isStage(request) && revoked === 0) || (isCommit(request) && revoked === 1)) {
            revoked += 1;
            guard.revoke();
          }
          return guard.check(request);
        },
      };
      const workflowId = await startRun(subject, 'revoked');
      expect(await service.ended(workflowId)).toMatchObject({ status: 'COMPLETED', retries: 0 });
      expect(revoked).toBe(2);
      expect(guard.issued.length - issued).toBe(2);
      await expectOneLoad(subject, 'revoked');
    });

    test('when tokens live for seconds, has a new one before the old one ends', async () => {
      const subject = subjectOf();
      const { service, guard } = subject;
      guard.lifeSeconds = 2;
      guard.revoke();
      await service.ended(await startRun(subject, 'first'));
      const { refusals } = guard;
      for (const name of ['second', 'third']) {
        await sleep(2_000);
        expect(await service.ended(await startRun(subject, name))).toMatchObject({ status: 'COMPLETED' });
      }
      guard.lifeSeconds = 3600;
      expect(guard.refusals).toBe(refusals);
    });

    test('when the catalog allows nothing to this user, fails at once and says why', async () => {
      const subject = subjectOf();
      const error = { message: 'no grant on namespace service', type: 'ForbiddenException', code: 403 };
      pass(subject, { onRequest: () => ({ status: 403, body: JSON.stringify({ error }) }) });
      const status = await subject.service.ended(await startRun(subject, 'forbidden'));
      expect(status).toMatchObject({ status: 'FAILED', retries: 0 });
      expect(JSON.stringify(status)).toContain('no grant on namespace service');
    });

    test('when its credential is refused, fails at once, and neither that nor a token was ever shown or kept', async () => {
      const subject = subjectOf();
      const { service, guard, environment } = subject;
      const { id, secret } = guard.credential;
      await service.stop();
      await service.start({ ...environment, ICEBERG_CREDENTIAL: `${id}:wrong-${secret}` });
      expect(await service.ended(await startRun(subject, 'refused'))).toMatchObject({ status: 'FAILED', retries: 0 });
      const shown = [service.log(100_000), ...(await everyFile(service.dataDir))];
      expect(shown.length).toBeGreaterThan(10);
      for (const word of [secret, encodeURIComponent(secret), ...guard.issued]) {
        expect(shown.filter((text) => text.includes(word))).toHaveLength(0);
      }
    });
  });
}

async function everyFile(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(files.map((file) => readFile(file, 'latin1').catch(() => '')));
}
