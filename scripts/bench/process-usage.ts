/** What a process has used so far, as Linux tells it (`man 5 proc`). */
import { readFile } from 'node:fs/promises';

/** Of `/proc/<pid>/stat`: hundredths of a second. */
const TICK_MS = 10;
/** Counted from the field behind the command's name. */
const USER_TICKS_AT = 11;
const SYSTEM_TICKS_AT = 12;

export interface Memory {
  nowBytes: number;
  /** Since the process started. */
  peakBytes: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { nowBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** Of all its threads, children left out. */
export async function processorMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The command's name stands in brackets and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return (Number(fields[USER_TICKS_AT]) + Number(fields[SYSTEM_TICKS_AT])) * TICK_MS;
}
