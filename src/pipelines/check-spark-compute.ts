/** What of a pipeline `compute: spark` does not do: refused in words before anything runs (spec section 4). */
import { isS3Uri } from '../engines/s3/s3-address.ts';
import { unsupportedOptions } from '../engines/spark/compute/extract-file.ts';
import { javaPattern } from '../engines/spark/compute/java-pattern.ts';
import { messageOf } from '../errors.ts';
import type { Sink, Source } from '../schemas/definition.ts';
import type { DocumentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';

export function checkSparkCompute({ sources, checks, sinks }: DocumentParts): Fault[] {
  return [
    ...Array.from(sources).flatMap(([name, source]) =>
      source === undefined ? [] : faultsOfSource(`definition.sources.${name}`, source),
    ),
    ...checks.flatMap(({ whole }, at) => (whole?.type === 'regex' ? faultsOfPattern(whole.pattern, at) : [])),
    ...Array.from(sinks).flatMap(([name, { whole }]) =>
      whole === undefined ? [] : faultsOfSink(`definition.sinks.${name}`, whole),
    ),
  ];
}

function faultsOfSource(path: string, source: Source): Fault[] {
  // The service extracts these itself, as ever, and Spark goes on from staging.
  if (source.type !== 'file' || isS3Uri(source.path)) return [];
  try {
    return unsupportedOptions(source).map((option) => ({
      path: `${path}.options`,
      message: `compute: spark has no counterpart for ${option} of ${source.format}`,
    }));
  } catch (error) {
    return [{ path: `${path}.options`, message: messageOf(error) }];
  }
}

function faultsOfPattern(pattern: string, at: number): Fault[] {
  try {
    javaPattern(pattern);
    return [];
  } catch (error) {
    return [{ path: `definition.quality_checks.checks.${at}.pattern`, message: messageOf(error) }];
  }
}

function faultsOfSink(path: string, sink: Sink): Fault[] {
  if (sink.type !== 'iceberg') return [];
  const buckets = sink.partition_by.flatMap((field, at) => (field.startsWith('bucket(') ? [at] : []));
  return buckets.map((at) => ({
    path: `${path}.partition_by.${at}`,
    message: 'compute: spark partitions by columns, year, month, day, hour and truncate, not by bucket',
  }));
}
