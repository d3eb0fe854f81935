/** The end of a task's log, for people: what they would scroll to in Airflow's UI. */
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { type AirflowClient, type TaskInstance, taskPath } from './airflow-client.ts';
import { parseJson } from './airflow-token.ts';

const KEPT_LINES = 15;
/** An error holds its message twice, and Temporal keeps 4 KiB of one. */
const KEPT_CHARACTERS = 1_200;
const LINE_LIMIT = 300;

const entry = z.object({
  event: z.string(),
  level: z.string().optional(),
  /** Of an exception: its chain, the one that was raised last at the end. */
  error_detail: z
    .array(
      z.object({
        exc_type: z.string(),
        exc_value: z.string(),
        frames: z.array(z.object({ filename: z.string(), lineno: z.int() })).nullish(),
      }),
    )
    .optional(),
});

/** A log can be of any length, so it is read as it comes and only its end is kept. */
export async function endOfLog(
  client: AirflowClient,
  dagId: string,
  runId: string,
  { task_id: taskId, try_number: tryNumber, map_index: mapIndex }: TaskInstance,
  signal: AbortSignal,
): Promise<string> {
  const path = `${taskPath(dagId, runId, taskId)}/logs/${tryNumber}?map_index=${mapIndex}`;
  const request = { method: 'GET', path, accept: 'application/x-ndjson' } as const;
  return client.http.exchange(request, signal, async ({ body }) => {
    let kept: string[] = [];
    for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
      kept.push(...linesOf(line));
      if (kept.length > 10 * KEPT_LINES) kept = kept.slice(-KEPT_LINES);
    }
    return kept.slice(-KEPT_LINES).join('\n').slice(-KEPT_CHARACTERS);
  });
}

/** One entry as it would be read; none for what only groups others. */
function linesOf(text: string): string[] {
  const parsed = entry.safeParse(parseJson(text));
  if (!parsed.success) return [];
  const { event, level, error_detail: errors = [] } = parsed.data;
  if (event.startsWith('::')) return [];
  const said = [level === undefined || level === 'info' ? event : `${level}: ${event}`];
  for (const { exc_type: type, exc_value: value, frames } of errors) {
    const at = frames?.at(-1);
    said.push(`  ${type}: ${value}${at === undefined ? '' : ` (${at.filename}:${at.lineno})`}`);
  }
  return said.map((line) => line.slice(0, LINE_LIMIT));
}
