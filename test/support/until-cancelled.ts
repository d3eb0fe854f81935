import { Context } from '@temporalio/activity';

/** What an activity that stands in for endless work does: heartbeats, and ends when it is cancelled. */
export async function untilCancelled(): Promise<never> {
  const { cancelled, heartbeat } = Context.current();
  const beats = setInterval(() => {
    heartbeat();
  }, 50);
  try {
    return await cancelled;
  } finally {
    clearInterval(beats);
  }
}
