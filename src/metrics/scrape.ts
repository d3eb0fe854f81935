/**
 * What `/metrics` answers: our own metrics, then those that the Temporal SDK serves on a loopback port of its own
 * (`temporal_sdk_…`), in Prometheus' text format. Scraping never fails because the SDK's part is away.
 */
import type { Registry } from 'prom-client';

/** The SDK's exporter is in this very process; one that does not answer by then has shut down. */
const SDK_TIMEOUT_MS = 1000;

export interface Scrape {
  contentType: string;
  body: string;
}

/** @param sdkMetricsUrl of the SDK's exporter, undefined in a process without one */
export async function scrape(registry: Registry, sdkMetricsUrl: string | undefined): Promise<Scrape> {
  const [own, sdk] = await Promise.all([
    registry.metrics(),
    sdkMetricsUrl === undefined ? '' : fetchSdkMetrics(sdkMetricsUrl),
  ]);
  return { contentType: registry.contentType, body: own.endsWith('\n') ? own + sdk : `${own}\n${sdk}` };
}

async function fetchSdkMetrics(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(SDK_TIMEOUT_MS) });
    return response.ok ? await response.text() : '';
  } catch {
    return '';
  }
}
