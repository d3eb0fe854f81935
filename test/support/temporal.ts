/** The Temporal server that tests share. */
import { inject } from 'vitest';

export interface TestTemporal {
  /** host:port */
  address: string;
  /** Of this file of tests alone, while it runs. */
  namespace: string;
}

let asked: Promise<TestTemporal> | undefined;

/** Starts the shared server, in memory, if this is the first file of tests that asks. */
export function testTemporal(): Promise<TestTemporal> {
  asked ??= ask();
  return asked;
}

async function ask(): Promise<TestTemporal> {
  const response = await fetch(inject('temporalBroker'));
  if (!response.ok) throw new Error(`no Temporal server for tests: ${await response.text()}`);
  return (await response.json()) as TestTemporal;
}
