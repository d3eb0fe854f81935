/** Random histories of a table and of its upkeep: whatever happened, each branch and tag reads as it did. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../schemas/random.ts';
import { Upkeep } from './upkeep-lake.ts';

let upkeep: Upkeep;
beforeEach(async () => {
  upkeep = await Upkeep.open();
});
afterEach(() => upkeep.close());

const T = 'o.t';
const STEPS = 14;

describe('a table', () => {
  it.each([1, 2, 3, 4, 5, 6])('when history %i befalls it, reads the same by every ref', async (seed) => {
    const chance = new Random(seed);
    const random = (below: number) => chance.below(below);
    let rows: number[] = [];
    const tags = new Map<string, number[]>();
    const story: string[] = [];
    const happen: Record<string, (step: number) => Promise<unknown>> = {
      append: async (step) => {
        await upkeep.append(T, step, step + 100);
        rows = [...rows, step, step + 100];
      },
      overwrite: async (step) => {
        await upkeep.lake.load(T, `SELECT ${step}::INTEGER AS id`, { mode: 'overwrite' });
        rows = [step];
      },
      tag: async (step) => {
        const id = (await upkeep.lake.metadata(T))['current-snapshot-id'] ?? 0n;
        const name = `tag-${step}`;
        await upkeep.change(T, { action: 'set-snapshot-ref', 'ref-name': name, type: 'tag', 'snapshot-id': id });
        tags.set(name, rows);
      },
      compact: () => upkeep.compact(T),
      expire: () => upkeep.expire(T, { olderThanMs: -1, retainLast: 1 + random(3) }),
      orphans: async () => {
        await upkeep.age(4);
        expect(await upkeep.removeOrphans(T)).not.toHaveProperty('unsure');
      },
      upkeepWithAppend: async (step) => {
        const catalog = upkeep.around(async (commit) => {
          if (!rows.includes(step)) {
            rows = [...rows, step];
            await upkeep.append(T, step);
          }
          return commit();
        });
        if (random(2) === 0) await upkeep.compact(T, {}, catalog);
        else await upkeep.expire(T, { olderThanMs: -1 }, catalog);
      },
    };
    const names = Object.keys(happen);
    await happen['append']?.(0);
    for (let step = 1; step <= STEPS; step += 1) {
      const name = names[random(names.length)] ?? 'append';
      story.push(name);
      await happen[name]?.(step);
      const told = story.join(' ');
      expect(await upkeep.ids(T), told).toEqual([...rows].sort((one, other) => one - other));
      const { refs = {}, snapshots = [] } = await upkeep.lake.metadata(T);
      for (const [tag, expected] of tags) {
        const snapshot = snapshots.find((candidate) => candidate['snapshot-id'] === refs[tag]?.['snapshot-id']);
        if (snapshot === undefined) throw new Error(`${tag} is lost: ${told}`);
        expect(await upkeep.idsOf(snapshot), `${tag}: ${told}`).toEqual(
          [...expected].sort((one, other) => one - other),
        );
      }
    }
    // After all has been cleaned up, nothing is there that nothing refers to.
    await upkeep.age(4);
    await upkeep.removeOrphans(T);
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
  });
});
