/** Runs that are at work survive an upgrade: every recorded history replays on today's workflow code. */
import { readdirSync, readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import { createLogger } from '../../src/logger.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';

const FOLDER = new URL('histories/', import.meta.url);
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
let workflowBundle: Awaited<ReturnType<typeof bundleWorkflows>>;

beforeAll(async () => {
  workflowBundle = await bundleWorkflows(createLogger('error'));
});

const read = (file: string) => historyFromJSON(JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')));

test('the recorded histories, when they are counted, are there', () => {
  expect(files.length).toBeGreaterThanOrEqual(12);
});

test.each(files)('history %s, when it is replayed, takes the same course', async (file) => {
  await Worker.runReplayHistory({ workflowBundle }, read(file), file);
});

test('a history, when its events are not what the workflow would have done, does not replay', async () => {
  const history = read('completed.json');
  const scheduled = history.events?.filter((event) => event.activityTaskScheduledEventAttributes) ?? [];
  const first = scheduled[0]?.activityTaskScheduledEventAttributes;
  if (first?.activityType) first.activityType.name = 'something_else';
  await expect(Worker.runReplayHistory({ workflowBundle }, history, 'changed')).rejects.toThrow();
});
