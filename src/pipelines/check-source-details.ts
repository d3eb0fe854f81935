/** What of sources and checks is wrong whatever the data is like, beyond what their schemas say. */
import { canonicalType } from '../engines/quality/column-type.ts';
import { optionFaults } from '../engines/sources/file-options.ts';
import type { DocumentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';

/** Faults of options that a file's format does not have, and of types that no column can have. */
export function checkSourceDetails({ sources, checks }: DocumentParts): Fault[] {
  const faults: Fault[] = [];
  for (const [name, source] of sources) {
    if (source?.type !== 'file') continue;
    for (const { path, message } of optionFaults(source.format, source.options)) {
      faults.push({ path: `definition.sources.${name}.options.${path}`, message });
    }
  }
  for (const [at, { whole }] of checks.entries()) {
    if (whole?.type !== 'schema') continue;
    for (const [column, type] of Object.entries(whole.columns)) {
      if (canonicalType(type) !== undefined) continue;
      faults.push({
        path: `definition.quality_checks.checks.${at}.columns.${column}`,
        message: `${type} is no type of a column`,
      });
    }
  }
  return faults;
}
