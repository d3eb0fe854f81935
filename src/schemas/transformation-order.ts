import type { Transformation } from './definition.ts';

/** Each transformation after those that it depends on; the definition has no cycles. */
export function inOrder(transformations: readonly Transformation[]): Transformation[] {
  const byName = new Map(transformations.map((transformation) => [transformation.name, transformation]));
  const ordered = new Set<Transformation>();
  const place = (transformation: Transformation): void => {
    if (ordered.has(transformation)) return;
    for (const name of transformation.depends_on) {
      const needed = byName.get(name);
      if (needed !== undefined) place(needed);
    }
    ordered.add(transformation);
  };
  transformations.forEach(place);
  return [...ordered];
}
