import type { QualityCheck, Sink, Source } from './definition.ts';
import type { DocumentParts } from './document-parts.ts';
import type { Fault } from './fault.ts';

/** Faults of single sources, checks and sinks that one field alone does not show. */
export function checkSteps({ sources, checks, sinks }: DocumentParts): Fault[] {
  return [
    ...Array.from(sources).flatMap(([name, source]) => within(`definition.sources.${name}`, sourceFaults(source))),
    ...checks.flatMap(({ whole }, index) => within(`definition.quality_checks.checks.${index}`, checkFaults(whole))),
    ...Array.from(sinks).flatMap(([name, { whole }]) => within(`definition.sinks.${name}`, sinkFaults(whole))),
  ];
}

function within(path: string, faults: readonly Fault[]): Fault[] {
  return faults.map((fault) => ({ path: `${path}.${fault.path}`, message: fault.message }));
}

function sourceFaults(source: Source | undefined): Fault[] {
  if (source?.type !== 'jdbc') return [];
  const faults: Fault[] = [];
  if (source.table === undefined && source.query === undefined) {
    faults.push({ path: 'table', message: 'is required: expected a table (or a query in its place)' });
  }
  if (source.table !== undefined && source.query !== undefined) {
    faults.push({ path: 'query', message: 'expected either table or query, got both' });
  }
  if (source.partition_column === undefined && source.num_partitions !== undefined) {
    faults.push({ path: 'partition_column', message: 'is required with num_partitions: expected a column' });
  }
  if (source.num_partitions === undefined && source.partition_column !== undefined) {
    faults.push({ path: 'num_partitions', message: 'is required with partition_column: expected a whole number' });
  }
  return faults;
}

function checkFaults(check: QualityCheck | undefined): Fault[] {
  switch (check?.type) {
    case 'range':
    case 'row_count': {
      const { min, max } = check;
      if (min === undefined && max === undefined) {
        return [{ path: 'min', message: 'is required: expected min, max or both' }];
      }
      const wrong = typeof min === 'number' && typeof max === 'number' && min > max;
      return wrong ? [{ path: 'max', message: `expected at least min (${min}), got ${max}` }] : [];
    }
    case 'not_null':
    case 'unique':
      return namedTwice('columns', check.columns);
    default:
      return [];
  }
}

function sinkFaults(sink: Sink | undefined): Fault[] {
  switch (sink?.type) {
    case 'iceberg': {
      const faults = [...mergeKeyFaults(sink), ...namedTwice('partition_by', sink.partition_by.map(normalized))];
      if (sink.mode === 'overwrite_partition' && sink.partition_by.length === 0) {
        faults.push({
          path: 'partition_by',
          message: 'is required with mode overwrite_partition: expected at least 1 entry',
        });
      }
      return faults;
    }
    case 'postgres':
      return mergeKeyFaults(sink);
    case 'file':
      return filePathFaults(sink.path);
    default:
      return [];
  }
}

function mergeKeyFaults({ mode, merge_keys: keys }: Exclude<Sink, { type: 'file' }>): Fault[] {
  if (mode === 'merge') {
    return keys === undefined
      ? [{ path: 'merge_keys', message: 'is required with mode merge: expected the columns that make a row unique' }]
      : namedTwice('merge_keys', keys);
  }
  return keys === undefined ? [] : [{ path: 'merge_keys', message: `is only for mode merge, got mode ${mode}` }];
}

/** A file is written whole under its one name. */
function filePathFaults(path: string): Fault[] {
  if (/[*?[\]{}]/.test(path)) return [{ path: 'path', message: `expected one file's path, got the pattern ${path}` }];
  return /[/\\]$|(?:^|\/)\.{1,2}$/.test(path)
    ? [{ path: 'path', message: `expected a file, got the folder ${path}` }]
    : [];
}

function namedTwice(path: string, names: readonly string[]): Fault[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{ path: `${path}.${index}`, message: `expected each once; ${name} stands here twice` }]
      : [],
  );
}

/** `bucket(16,col)` as `bucket(16, col)`. */
function normalized(field: string): string {
  return field
    .replaceAll(/\s*([(),])\s*/g, '$1')
    .replace(',', ', ')
    .trim();
}
