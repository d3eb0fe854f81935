import { checkCron } from './cron.ts';
import type { PipelineDefinition } from './definition.ts';
import type { DocumentParts } from './document-parts.ts';
import { durationMs } from './duration.ts';
import type { Fault } from './fault.ts';

type Orchestration = PipelineDefinition['orchestration'];
type Schedule = NonNullable<Orchestration['schedule']>;

/** Faults of times that do not fit one another, and of what starts the pipeline. */
export function checkTiming({ name, approval, orchestration }: DocumentParts): Fault[] {
  const faults: Fault[] = [];
  if (approval !== undefined && orchestration !== undefined) faults.push(...approvalFaults(approval, orchestration));
  if (orchestration === undefined) return faults;
  const { schedule, retry, after } = orchestration;
  if (schedule !== undefined) faults.push(...scheduleFaults(schedule));
  for (const [activity, { initial_interval: initial, max_interval: longest }] of Object.entries(retry)) {
    if (initial !== undefined && longest !== undefined && durationMs(initial) > durationMs(longest)) {
      const path = `definition.orchestration.retry.${activity}.max_interval`;
      faults.push({ path, message: `expected at least initial_interval (${initial}), got ${longest}` });
    }
  }
  after.forEach((other, index) => {
    const path = `definition.orchestration.after.${index}`;
    if (other === name) faults.push({ path, message: 'expected another pipeline; this one would wait for itself' });
    if (after.indexOf(other) < index)
      faults.push({ path, message: `expected each name once; ${other} stands here twice` });
  });
  return faults;
}

function approvalFaults(
  { timeout, remind_after: reminders }: PipelineDefinition['quality_checks']['approval'],
  orchestration: Orchestration,
): Fault[] {
  const path = 'definition.quality_checks.approval';
  const faults: Fault[] = [];
  if (durationMs(timeout) > durationMs(orchestration.timeout)) {
    const message = `expected at most orchestration.timeout (${orchestration.timeout}), got ${timeout}`;
    faults.push({ path: `${path}.timeout`, message });
  }
  reminders.forEach((reminder, index) => {
    if (durationMs(reminder) >= durationMs(timeout)) {
      const message = `expected less than approval.timeout (${timeout}), got ${reminder}`;
      faults.push({ path: `${path}.remind_after.${index}`, message });
    }
  });
  return faults;
}

function scheduleFaults({ cron, interval, start, end, blackouts }: Schedule): Fault[] {
  const path = 'definition.orchestration.schedule';
  const faults: Fault[] = [];
  if (cron === undefined && interval === undefined) {
    faults.push({ path: `${path}.cron`, message: 'is required: expected cron or interval' });
  }
  if (cron !== undefined && interval !== undefined) {
    faults.push({ path: `${path}.interval`, message: 'expected either cron or interval, got both' });
  }
  if (cron !== undefined) faults.push(...cronFault(`${path}.cron`, cron));
  if (start !== undefined && end !== undefined && Date.parse(start) >= Date.parse(end)) {
    faults.push({ path: `${path}.end`, message: `expected later than start (${start}), got ${end}` });
  }
  blackouts.forEach((blackout, index) => {
    const at = `${path}.blackouts.${index}`;
    if ('cron' in blackout) faults.push(...cronFault(`${at}.cron`, blackout.cron));
    else if (Date.parse(blackout.from) >= Date.parse(blackout.to)) {
      faults.push({ path: `${at}.to`, message: `expected later than from (${blackout.from}), got ${blackout.to}` });
    }
  });
  return faults;
}

function cronFault(path: string, cron: string): Fault[] {
  const message = checkCron(cron);
  return message === undefined ? [] : [{ path, message }];
}
