/**
 * A way through a graph that comes back to where it began, as `[a, b, a]`; undefined when there is none.
 * @param edges by node: where it leads; nodes that are not keys lead nowhere
 */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  for (const start of edges.keys()) {
    // A list in place of recursion: chains may be as long as a document allows steps.
    const trail: { node: string; next: number }[] = [{ node: start, next: 0 }];
    const onTrail = new Set([start]);
    for (let last = trail.at(-1); last !== undefined; last = trail.at(-1)) {
      const target = done.has(last.node) ? undefined : edges.get(last.node)?.[last.next];
      last.next += 1;
      if (target === undefined) {
        done.add(last.node);
        onTrail.delete(last.node);
        trail.pop();
      } else if (onTrail.has(target)) {
        const nodes = trail.map(({ node }) => node);
        return [...nodes.slice(nodes.indexOf(target)), target];
      } else {
        trail.push({ node: target, next: 0 });
        onTrail.add(target);
      }
    }
  }
  return undefined;
}
