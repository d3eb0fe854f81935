import type { Sink } from './definition.ts';
import type { DocumentParts } from './document-parts.ts';
import type { Fault } from './fault.ts';

/**
 * Faults of sinks that would undo one another. The sinks of a run load side by side: appending or merging to one table
 * twice is well defined, replacing what another sink of the same run writes is not, and a file has one writer.
 */
export function checkTargets({ sinks }: DocumentParts): Fault[] {
  const byTarget = new Map<string, { name: string; sink: Sink }[]>();
  for (const [name, { whole: sink }] of sinks) {
    if (sink === undefined) continue;
    const target = targetOf(sink);
    byTarget.set(target, [...(byTarget.get(target) ?? []), { name, sink }]);
  }
  return [...byTarget.values()].flatMap((group) => {
    const replacing = group.find(({ sink }) => replaces(sink));
    if (group.length === 1 || replacing === undefined) return [];
    return group
      .filter((one) => one !== replacing)
      .map(({ name, sink }) => {
        const field = sink.type === 'file' ? 'path' : 'table';
        const message = `expected another target: the sink ${replacing.name} replaces what is in this one`;
        return { path: `definition.sinks.${name}.${field}`, message };
      });
  });
}

function replaces(sink: Sink): boolean {
  return sink.type === 'file' || sink.mode === 'overwrite' || sink.mode === 'overwrite_partition';
}

function targetOf(sink: Sink): string {
  switch (sink.type) {
    case 'iceberg':
      return JSON.stringify(['iceberg', sink.table]);
    case 'postgres':
      return JSON.stringify(['postgres', sink.connection, sink.table]);
    case 'file':
      return JSON.stringify(['file', sink.path.replace(/^(?:\.\/)+/, '')]);
  }
}
