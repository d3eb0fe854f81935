/** Extractions from real servers on loopback, for the tests of `api` sources. */
import { EgressGuard } from '../../../src/engines/egress-guard.ts';
import { type ApiExtraction, extractApi } from '../../../src/engines/sources/api-source.ts';
import { apiSource } from '../../../src/schemas/api-source.ts';
import type { Dataset, EngineContext } from '../../../src/engines/dataset.ts';
import type { EngineFixture } from '../../support/engine-fixture.ts';

/** While the service is open: loopback needs no rule. */
const OPEN = new EgressGuard({ restricted: false, allow: [] });

export async function extract(
  fixture: EngineFixture,
  source: Record<string, unknown>,
  more: Partial<ApiExtraction> & { context?: EngineContext } = {},
): Promise<Dataset> {
  const parsed = apiSource.parse({ type: 'api', ...source });
  const headers = Object.fromEntries(
    Object.entries(parsed.headers ?? {}).map(([name, value]) => [name, { value, secret: false }]),
  );
  const outputFolder = await fixture.outputFolder();
  const { context = fixture.context, ...rest } = more;
  return extractApi(fixture.engine, { source: parsed, headers, egress: OPEN, outputFolder, ...rest }, context);
}
