/**
 * SIGKILL of the worker wherever it knows less than dbt does, and a worker that was cut off while its dbt went on. Who
 * started when is written down by a script before the real command; what came of it is counted in the database.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { building, dbtProcesses, privateFolders, query, startRun, type Subject, warehouse } from './subject.ts';

/** Before the real dbt: notes each start and whoever of the earlier ones still lives, and kills the service where it is told to. */
const WATCHED_DBT = `#!/bin/sh
echo $$ >> FOLDER/starts
for pid in $(cat FOLDER/starts); do [ $pid != $$ ] && kill -0 $pid 2>/dev/null && echo $pid >> FOLDER/overlaps; done
point=$(cat FOLDER/point); : > FOLDER/point
case "$point" in
before) kill -9 $PPID; exec sleep 60;;
working) (until grep -q . FOLDER/sleeping; do sleep 0.1; done; kill -9 $PPID) & exec DBT "$@";;
after) DBT "$@"; kill -9 $PPID; exec sleep 60;;
recording) DBT "$@"; code=$?
  # Holds dbt's output, so that the service, which has seen its end, goes on listening until it is killed.
  setsid sh -c "echo apart > FOLDER/apart; while kill -0 $$ 2>/dev/null; do :; done; kill -9 $PPID" &
  until grep -q . FOLDER/apart; do sleep 0.1; done; exit $code;;
esac
exec DBT "$@"
`;

/** How often dbt starts, and how often it comes so far as to work in the database. */
const POINTS: [string, { point: string; starts: number; worked: number }][] = [
  ['before dbt works', { point: 'before', starts: 2, worked: 1 }],
  ['while dbt works', { point: 'working', starts: 2, worked: 2 }],
  ['when dbt has ended, before anybody knows', { point: 'after', starts: 2, worked: 2 }],
  ['when dbt has ended, before that is recorded', { point: 'recording', starts: 2, worked: 2 }],
];

export function crashesSuite(subjectOf: () => Subject): void {
  const file = (name: string) => join(subjectOf().folder, name);
  const lines = async (name: string) => (await readFile(file(name), 'utf8')).split('\n').filter((line) => line !== '');
  const restart = async (environment: Record<string, string>) => {
    await subjectOf().service.stop();
    await subjectOf().service.start(environment);
  };

  const expectOneAtATime = async ({ starts, worked }: { starts: number; worked: number }) => {
    const subject = subjectOf();
    expect(await lines('overlaps')).toEqual([]);
    expect(await lines('starts')).toHaveLength(starts);
    expect(await query(subject, 'select count(*)::int as worked from public.starts')).toEqual([{ worked }]);
    const products = [2, 4, 6].map((product) => ({ product }));
    expect(await query(subject, 'select product::int from shop.slow order by n')).toEqual(products);
    expect(await privateFolders(subject)).toEqual([]);
  };
  /** A model that takes its time. */
  const slow = (subject: Subject, seconds: number) => ({
    select: 'slow',
    vars: { factor: 2, seconds },
    profile: warehouse(subject),
  });

  describe('a dbt step', () => {
    beforeAll(async () => {
      const { dbt, folder, environment } = subjectOf();
      await writeFile(file('dbt'), WATCHED_DBT.replaceAll('FOLDER', folder).replaceAll('DBT', dbt));
      await chmod(file('dbt'), 0o755);
      await restart({ ...environment, DBT_COMMAND: file('dbt') });
    });
    afterAll(() => restart(subjectOf().environment));
    beforeEach(async () => {
      await query(subjectOf(), 'drop table if exists public.starts');
      for (const name of ['starts', 'overlaps', 'point', 'sleeping', 'apart']) await writeFile(file(name), '');
    });

    test.each(POINTS)('when its worker gets SIGKILL %s, leaves no dbt behind and completes', async (_, expected) => {
      const subject = subjectOf();
      const { service } = subject;
      await writeFile(file('point'), expected.point);
      const run = await startRun(subject, { name: `killed-${expected.point}` }, slow(subject, 2));
      await untilGone(subject, () => writeFile(file('sleeping'), 'yes'));
      await expect.poll(() => dbtProcesses(subject), { timeout: 60_000 }).toEqual([]);
      await service.start();
      expect(await service.ended(run.workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      await expectOneAtATime(expected);
    });

    test('when its worker was cut off and is given it anew, waits for the end of its first dbt', async () => {
      const subject = subjectOf();
      const { service } = subject;
      const run = await startRun(subject, { name: 'cut-off' }, slow(subject, 15));
      await expect.poll(() => building(subject), { timeout: 60_000 }).toBe(1);
      service.signal('SIGSTOP');
      await sleep(5_000); // Longer than the heartbeat's timeout: Temporal has given it up.
      service.signal('SIGCONT');
      expect(await service.ended(run.workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      await expectOneAtATime({ starts: 2, worked: 2 });
    });
  });
}

/** Resolves when the service has died. */
async function untilGone(subject: Subject, whenBuilding: () => Promise<void>): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  while (await isUp(subject)) {
    if (Date.now() > deadlineMs) throw new Error(`it was not killed: ${subject.service.log()}`);
    if ((await building(subject)) > 0) await whenBuilding();
    await sleep(100);
  }
}

async function isUp({ service }: Subject): Promise<boolean> {
  return fetch(`${service.url}/health`).then(
    (answer) => answer.ok,
    () => false,
  );
}
