/** The submitter alone, on a real master: what no proxy and no SIGKILL of a service reaches. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engines/dataset.ts';
import { LocalJobFolder } from '../../../src/engines/local-job-folder.ts';
import type { SparkJob } from '../../../src/engines/spark/spark-submitter.ts';
import { StandaloneMaster } from '../../../src/engines/spark/standalone-master.ts';
import { StandaloneSubmitter } from '../../../src/engines/spark/standalone-submitter.ts';
import { lives } from '../../support/child-program.ts';
import { SMALL_JOB, SparkStandalone } from '../../support/spark-standalone.ts';
import { processesIn, type Subject, wordsIn } from './subject.ts';

let jobs = 0;

export function submitterSuite(subject: () => Subject): void {
  describe('the submitter of a standalone master', () => {
    test('when two submit a job at the same time, has two drivers of which one runs the application', async () => {
      const { spark } = subject();
      const { job, journal } = anyJob(subject());
      const submitter = new StandaloneSubmitter(new StandaloneMaster(spark.url));
      const before = (await spark.drivers()).length;
      const both = await Promise.all([submitter.run(job, context()), submitter.run(job, context())]);
      expect(both.map(({ jobName }) => jobName)).toEqual([`${job.prefix}1`, `${job.prefix}1`]);
      const submitted = (await spark.drivers()).slice(before).map(({ id }) => id);
      expect(submitted).toHaveLength(2);
      await expect
        .poll(async () => (await spark.drivers()).slice(before), { timeout: 60_000 })
        .toMatchObject([{ state: 'FINISHED' }, { state: 'FINISHED' }]);
      expect(await wordsIn(journal)).toEqual(['begin', 'end']);
    });

    test('when a launcher is killed, has the application ended, too, and believes Spark that it failed', async () => {
      const { spark } = subject();
      const { job, journal, folder } = anyJob(subject(), 600);
      const submitter = new StandaloneSubmitter(new StandaloneMaster(spark.url));
      const failing = submitter.run(job, context());
      const refused = expect(failing).rejects.toMatchObject({
        type: 'JobFailedError',
        message: expect.stringContaining('whose launcher wrote no outcome') as string,
      });
      const [application = 0] = await processesIn(journal);
      const claim = JSON.parse(await readFile(join(folder, `${job.prefix}1`, 'claim.json'), 'utf8')) as {
        processId: number;
      };
      process.kill(claim.processId, 'SIGKILL');
      await expect.poll(() => lives(application), { timeout: 60_000 }).toBe(false);
      await refused;
    });

    test('when a driver ends before its launcher comes to work, takes the name and says so', async () => {
      const { spark } = subject();
      const { job } = anyJob(subject());
      const submitter = new StandaloneSubmitter(new StandaloneMaster(spark.url));
      const conf = { ...job.conf, 'spark.pyspark.python': '/nowhere/python' };
      await expect(submitter.run({ ...job, conf }, context())).rejects.toMatchObject({
        type: 'JobFailedError',
        message: expect.stringMatching(/Spark says (FAILED|ERROR) of a driver that never came/) as string,
      });
      expect(await submitter.run(job, context())).toMatchObject({ jobName: `${job.prefix}2` });
    });

    test('when the REST server asks for a token, says that it is refused', async () => {
      const filters = ['spark.master.rest.filters=org.apache.spark.ui.JWSFilter'];
      const key = `spark.org.apache.spark.ui.JWSFilter.param.secretKey=${'QUJD'.repeat(11)}`;
      await using guarded = await SparkStandalone.start([...filters, key], { worker: false });
      const submitter = new StandaloneSubmitter(new StandaloneMaster(guarded.url));
      await expect(submitter.run(anyJob(subject()).job, context())).rejects.toMatchObject({
        type: 'PermissionDeniedError',
        message: expect.stringMatching(/^Spark's master answered 40[13] to create/) as string,
      });
    });
  });
}

function context(): EngineContext {
  return { signal: new AbortController().signal, log: () => undefined, progress: () => undefined };
}

/** An application that leaves nothing. */
function anyJob({ service }: Subject, seconds = 0): { job: SparkJob; journal: string; folder: string } {
  jobs += 1;
  const folder = join(service.folder, `submitter-${jobs}`);
  const journal = `${folder}.journal`;
  const job: SparkJob = {
    prefix: `ps-submitter-${jobs}-g`,
    application: join(import.meta.dirname, 'applications/journal.py'),
    args: [journal, String(seconds), 'leave-nothing'],
    conf: SMALL_JOB,
    folderOf: async (name) => {
      const path = join(folder, name, '/');
      await mkdir(path, { recursive: true });
      return new LocalJobFolder(path);
    },
    contextOf: (output) => Promise.resolve({ output }),
    started: () => Promise.resolve(),
  };
  return { job, journal, folder };
}
