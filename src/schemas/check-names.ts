import type { DocumentParts } from './document-parts.ts';
import type { Fault } from './fault.ts';
import { findCycle } from './find-cycle.ts';
import { expectedNames } from './nearest-name.ts';

const MAX_STEPS = 500;

/** Faults of names: each is there once, names something that exists, and nothing waits for itself. */
export function checkNames(parts: DocumentParts): Fault[] {
  const { sources, transformations, sinks } = parts;
  const steps = sources.size + transformations.length + sinks.size;
  if (steps > MAX_STEPS) {
    return [
      {
        path: 'definition',
        message: `expected at most ${MAX_STEPS} steps (sources, transformations, sinks), got ${steps}`,
      },
    ];
  }
  return [...uniqueNames(parts), ...dependencies(parts), ...checkSources(parts), ...sinkInputs(parts)];
}

/** Sources and transformations are tables of one SQL session, where names do not tell case. */
function uniqueNames({ sources, transformations, sinks }: DocumentParts): Fault[] {
  const tables = [
    ...Array.from(sources.keys(), (name) => ({ name, path: `definition.sources.${name}` })),
    ...transformations.flatMap(({ name }, index) =>
      name === undefined ? [] : [{ name, path: `definition.transformations.${index}.name` }],
    ),
  ];
  return [...twins(tables), ...twins(Array.from(sinks.keys(), (name) => ({ name, path: `definition.sinks.${name}` })))];
}

function twins(named: readonly { name: string; path: string }[]): Fault[] {
  const first = new Map<string, string>();
  return named.flatMap(({ name, path }) => {
    const before = first.get(name.toLowerCase());
    if (before === undefined) {
      first.set(name.toLowerCase(), path);
      return [];
    }
    return [
      { path, message: `expected another name: ${name} is also the name at ${before} (upper and lower case are one)` },
    ];
  });
}

function dependencies({ sources, transformations }: DocumentParts): Fault[] {
  const names = transformations.flatMap(({ name }) => name ?? []);
  const faults = transformations.flatMap(({ dependsOn }, index) =>
    dependsOn.flatMap((needed, at): Fault[] => {
      const path = `definition.transformations.${index}.depends_on.${at}`;
      if (sources.has(needed)) {
        return [
          { path, message: `expected a transformation; ${needed} is a source, and sources are inputs of every step` },
        ];
      }
      if (!names.includes(needed)) return [{ path, message: unknown(needed, 'transformation', names) }];
      return dependsOn.indexOf(needed) < at
        ? [{ path, message: `expected each name once; ${needed} stands here twice` }]
        : [];
    }),
  );
  const cycle = findCycle(new Map(transformations.map(({ name, dependsOn }) => [name ?? '', dependsOn])));
  if (cycle !== undefined) {
    const index = transformations.findIndex(({ name }) => name === cycle[0]);
    const message = `expected no cycle; these wait for one another: ${cycle.join(' → ')}`;
    faults.push({ path: `definition.transformations.${index}.depends_on`, message });
  }
  return faults;
}

function checkSources({ sources, checks }: DocumentParts): Fault[] {
  const names = [...sources.keys()];
  return checks.flatMap(({ source, whole }, index): Fault[] => {
    const path = `definition.quality_checks.checks.${index}`;
    const faults: Fault[] = [];
    if (source !== undefined && !sources.has(source)) {
      faults.push({ path: `${path}.source`, message: unknown(source, 'source', names) });
    }
    if (whole?.type === 'referential') {
      const target = whole.references.slice(0, whole.references.indexOf('.'));
      if (!sources.has(target)) faults.push({ path: `${path}.references`, message: unknown(target, 'source', names) });
    }
    return faults;
  });
}

function sinkInputs({ sources, transformations, sinks }: DocumentParts): Fault[] {
  const names = [...sources.keys(), ...transformations.flatMap(({ name }) => name ?? [])];
  return Array.from(sinks).flatMap(([sinkName, { from }]) =>
    from === undefined || names.includes(from)
      ? []
      : [{ path: `definition.sinks.${sinkName}.from`, message: unknown(from, 'source or transformation', names) }],
  );
}

function unknown(written: string, kind: string, names: readonly string[]): string {
  if (names.length === 0) return `there is no ${kind} ${written}; the document has none`;
  return `there is no ${kind} ${written}; ${expectedNames(written, names)}`;
}
