/** A document looked at whole before anything is stored (spec section 3): every fault, each with its path. */
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { checkLimits } from '../schemas/check-limits.ts';
import { checkReferences } from '../schemas/check-references.ts';
import { pipelineDocument, type PipelineDocument } from '../schemas/definition.ts';
import { documentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';
import { isMapping, type JsonObject } from '../schemas/json.ts';
import { exampleValues } from '../schemas/parameters.ts';
import { checkSchema, firstOfEachPath } from '../schemas/schema-faults.ts';
import { substituteParameters } from '../schemas/substitute-parameters.ts';
import { checkFilePaths } from './check-file-paths.ts';
import { checkSourceDetails } from './check-source-details.ts';
import { checkSql } from './check-sql.ts';
import { checkEngines, type EngineAvailability } from './engine-availability.ts';

export interface ValidationEnvironment {
  engines: EngineAvailability;
  /** Where files may lie. */
  roots: FileRoots;
}

/**
 * `document` is what a run with default parameters would work from (an example stands for a parameter without one);
 * `raw` is what gets stored: as it was sent, parameters and secrets still named.
 */
export type Validation = { document: PipelineDocument; raw: JsonObject } | { faults: Fault[] };

const MAX_FAULTS = 100;

/** Never throws for what is in the document. */
export async function validateDocument(raw: unknown, environment: ValidationEnvironment): Promise<Validation> {
  const oversize = checkLimits(raw);
  if (oversize.length > 0) return { faults: oversize };

  const { values, undecided, faults } = exampleValues(isMapping(raw) ? raw['parameters'] : undefined);
  const substituted = substituteParameters(raw, values);
  const checked = checkSchema(pipelineDocument, substituted.value);
  const parts = documentParts(substituted.value);
  faults.push(
    ...substituted.faults,
    ...('faults' in checked ? checked.faults : []),
    ...checkReferences(parts),
    ...checkSourceDetails(parts),
    ...checkEngines(parts, environment.engines),
  );
  const faulty = new Set(faults.map(({ path }) => path));
  faults.push(...(await checkSql(parts, values, faulty)));
  const isOpen = (path: string) => faulty.has(path) || (substituted.usedAt.get(path) ?? []).length > 0;
  faults.push(...(await checkFilePaths(parts, environment.roots, isOpen)));

  if (faults.length === 0 && !('faults' in checked)) return { document: checked.value, raw: raw as JsonObject };
  return { faults: atMost(MAX_FAULTS, firstOfEachPath(faults).map(withHint(substituted.usedAt, undecided))) };
}

/** Says so where the fault may be that of an example. */
function withHint(usedAt: ReadonlyMap<string, string[]>, undecided: ReadonlySet<string>) {
  return ({ path, message }: Fault): Fault => {
    const names = (usedAt.get(path) ?? []).filter((name) => undecided.has(name));
    if (names.length === 0) return { path, message };
    return { path, message: `${message} (an example for ${names.join(', ')}: a default that fits is needed here)` };
  };
}

function atMost(count: number, faults: readonly Fault[]): Fault[] {
  if (faults.length <= count) return [...faults];
  return [...faults.slice(0, count), { path: '', message: `… and ${faults.length - count} more faults` }];
}
