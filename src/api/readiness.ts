/** `/health/ready`: whether what the service cannot work without is there (spec section 4). */
import { messageOf } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { Readiness } from './app.ts';

export interface Dependencies {
  store: Pick<Store, 'ping'>;
  temporal: TemporalCalls;
}

export async function readiness({ store, temporal }: Dependencies): Promise<Readiness> {
  const [database, server] = await Promise.all([
    check(() => store.ping()),
    check(() => temporal.call((client) => client.workflowService.getSystemInfo({}))),
  ]);
  return { database, temporal: server };
}

async function check(ask: () => Promise<unknown>): Promise<Readiness[string]> {
  try {
    await ask();
    return { ok: true };
  } catch (error) {
    return { ok: false, error: messageOf(error) };
  }
}
