const KEPT_LINES = 20;
/** Temporal keeps about 4 KiB of a failure, in which the message is twice: alone, and above its stack. */
const KEPT_CHARACTERS = 1_200;

/** What people would scroll to in a driver's log, with a line above it; empty when there is nothing. */
export function endOfLog(log: string): string {
  const end = log.trim().split('\n').slice(-KEPT_LINES).join('\n').slice(-KEPT_CHARACTERS).trim();
  return end === '' ? '' : `\nThe end of its driver's log:\n${end}`;
}
