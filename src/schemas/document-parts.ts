/**
 * A document taken apart leniently: each part read by its own schema, so that what has to do with several places can be
 * checked although one part is faulty. All faults are told at once (spec section 3).
 */
import type * as z from 'zod';
import {
  orchestration,
  qualityCheck,
  qualityChecks,
  sink,
  source,
  transformation,
  type PipelineDefinition,
  type QualityCheck,
  type Sink,
  type Source,
  type Transformation,
} from './definition.ts';
import { isMapping } from './json.ts';
import { parseSafely } from './schema-faults.ts';

/** `whole` is undefined for a part that its own schema refuses; the names in it count all the same. */
export interface DocumentParts {
  name: string | undefined;
  sources: ReadonlyMap<string, Source | undefined>;
  checks: readonly CheckPart[];
  transformations: readonly TransformationPart[];
  sinks: ReadonlyMap<string, SinkPart>;
  approval: PipelineDefinition['quality_checks']['approval'] | undefined;
  orchestration: PipelineDefinition['orchestration'] | undefined;
}

interface CheckPart {
  source: string | undefined;
  whole: QualityCheck | undefined;
}

interface SinkPart {
  from: string | undefined;
  whole: Sink | undefined;
}

interface TransformationPart {
  name: string | undefined;
  dependsOn: readonly string[];
  whole: Transformation | undefined;
}

/** @param document with its parameters in it */
export function documentParts(document: unknown): DocumentParts {
  const root = mapping(document);
  const definition = mapping(root['definition']);
  const quality = mapping(definition['quality_checks']);
  const { checks: _checks, ...qualityWithoutChecks } = quality;
  return {
    name: text(root['name']),
    sources: mapAll(definition['sources'], (written) => read(source, written)),
    checks: list(quality['checks']).map((written) => ({
      source: text(mapping(written)['source']),
      whole: read(qualityCheck, written),
    })),
    transformations: list(definition['transformations']).map((written) => {
      const { name, depends_on: dependsOn } = mapping(written);
      return {
        name: text(name),
        dependsOn: list(dependsOn).filter((one) => typeof one === 'string'),
        whole: read(transformation, written),
      };
    }),
    sinks: mapAll(definition['sinks'], (written) => ({
      from: text(mapping(written)['from']),
      whole: read(sink, written),
    })),
    approval: read(qualityChecks, qualityWithoutChecks)?.approval,
    orchestration: read(orchestration, definition['orchestration'] ?? {}),
  };
}

function mapping(value: unknown): Record<string, unknown> {
  return isMapping(value) ? value : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function read<S extends z.ZodType>(schema: S, value: unknown): z.output<S> | undefined {
  return parseSafely(schema, value)?.data;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function mapAll<T>(value: unknown, use: (written: unknown) => T): Map<string, T> {
  return new Map(Object.entries(mapping(value)).map(([name, written]) => [name, use(written)]));
}
