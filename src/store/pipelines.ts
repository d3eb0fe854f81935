/**
 * The registry (spec sections 3 and 4): pipelines by tenant, each with immutable revisions. An id starts with `pl_`,
 * which no name can, so that what stands for `{id}` in a path is one or the other and never both.
 */
import { randomUUID } from 'node:crypto';
import { and, arrayContains, asc, count, desc, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { ServiceError } from '../errors.ts';
import type { JsonObject } from '../schemas/json.ts';
import type { Database } from './database.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { pipelineRevisions, pipelines } from './schema.ts';

export interface NewPipeline {
  tenant: string;
  name: string;
  version: string;
  /** As it was sent, placeholders included. */
  document: JsonObject;
  tags: string[];
  actor: string;
  /** Makes the id, so that the same request made again after a crash finds the pipeline it had made. */
  reservedId?: string;
}

export type ChangedPipeline = Omit<NewPipeline, 'reservedId'> & { idOrName: string };

export interface PipelineSummaryRow {
  pipelineId: string;
  tenant: string;
  name: string;
  version: string;
  revision: number;
  enabled: boolean;
  tags: string[];
  description: string | null;
  owner: string | null;
  createdAt: Date;
  updatedAt: Date;
}

export type PipelineRow = PipelineSummaryRow & { document: JsonObject };
export type RevisionRow = typeof pipelineRevisions.$inferSelect;

const SUMMARY = {
  pipelineId: pipelines.pipelineId,
  tenant: pipelines.tenant,
  name: pipelines.name,
  version: pipelineRevisions.version,
  revision: pipelines.revision,
  enabled: pipelines.enabled,
  tags: pipelines.tags,
  description: sql<string | null>`${pipelineRevisions.document} ->> 'description'`,
  owner: sql<string | null>`${pipelineRevisions.document} ->> 'owner'`,
  createdAt: pipelines.createdAt,
  updatedAt: pipelines.updatedAt,
};
const CURRENT_REVISION = and(
  eq(pipelineRevisions.pipelineId, pipelines.pipelineId),
  eq(pipelineRevisions.revision, pipelines.revision),
);
const NOW = sql`clock_timestamp()`;

export function pipelineRepository(database: Database) {
  const repository = {
    /** Revision 1. CONFLICT when the tenant has a pipeline of this name. */
    async create(created: NewPipeline): Promise<PipelineRow> {
      const { tenant, name, version, document, tags, actor } = created;
      const pipelineId = pipelineIdOf(created.reservedId ?? randomUUID());
      return database.transaction(async (tx) => {
        const inserted = await tx
          .insert(pipelines)
          .values({ pipelineId, tenant, name, revision: 1, tags, createdAt: NOW, updatedAt: NOW })
          .onConflictDoNothing()
          .returning({ pipelineId: pipelines.pipelineId });
        if (inserted.length > 0) {
          await tx
            .insert(pipelineRevisions)
            .values({ pipelineId, revision: 1, version, document, createdAt: NOW, createdBy: actor });
        }
        const row = await pipelineRepository(tx).find(tenant, pipelineId);
        if (row === undefined) throw nameTaken(name);
        return row;
      });
    },

    /** A new revision, which is the current one from now on; undefined when there is no such pipeline. */
    async update(changed: ChangedPipeline): Promise<PipelineRow | undefined> {
      const { tenant, idOrName, name, version, document, tags, actor } = changed;
      return database.transaction(async (tx) => {
        const [target] = await tx
          .select({ pipelineId: pipelines.pipelineId, name: pipelines.name })
          .from(pipelines)
          .where(namedBy(tenant, idOrName));
        if (target === undefined) return undefined;
        const { pipelineId } = target;
        if (name !== target.name) await refuseTakenName(tx, tenant, name);
        const [current] = await tx
          .update(pipelines)
          .set({ name, tags, revision: sql`${pipelines.revision} + 1`, updatedAt: NOW })
          .where(and(eq(pipelines.pipelineId, pipelineId), isNull(pipelines.deletedAt)))
          .returning({ revision: pipelines.revision });
        if (current === undefined) return undefined;
        await tx
          .insert(pipelineRevisions)
          .values({ pipelineId, revision: current.revision, version, document, createdAt: NOW, createdBy: actor });
        return pipelineRepository(tx).find(tenant, pipelineId);
      });
    },

    /** With the document of its current revision. */
    async find(tenant: string, idOrName: string): Promise<PipelineRow | undefined> {
      const [row] = await database
        .select({ ...SUMMARY, document: pipelineRevisions.document })
        .from(pipelines)
        .innerJoin(pipelineRevisions, CURRENT_REVISION)
        .where(namedBy(tenant, idOrName));
      return row;
    },

    /** For those who hold a run of it: of any tenant, and of a removed pipeline too. RESOURCE_NOT_FOUND otherwise. */
    async revision(pipelineId: string, revision: number): Promise<RevisionRow> {
      const [row] = await database
        .select()
        .from(pipelineRevisions)
        .where(and(eq(pipelineRevisions.pipelineId, pipelineId), eq(pipelineRevisions.revision, revision)));
      if (row === undefined) {
        throw new ServiceError('RESOURCE_NOT_FOUND', `There is no revision ${revision} of pipeline ${pipelineId}`);
      }
      return row;
    },

    /** Newest first; undefined when there is no such pipeline. */
    async revisions(tenant: string, idOrName: string, page: Page): Promise<PageOf<RevisionRow> | undefined> {
      const [pipeline] = await database
        .select({ pipelineId: pipelines.pipelineId })
        .from(pipelines)
        .where(namedBy(tenant, idOrName));
      if (pipeline === undefined) return undefined;
      const wanted = eq(pipelineRevisions.pipelineId, pipeline.pipelineId);
      const [counted] = await database.select({ total: count() }).from(pipelineRevisions).where(wanted);
      const items = await database
        .select()
        .from(pipelineRevisions)
        .where(wanted)
        .orderBy(desc(pipelineRevisions.revision))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** Newest first, without documents. */
    async list(tenant: string, page: Page, filters: { tag?: string } = {}): Promise<PageOf<PipelineSummaryRow>> {
      const wanted = and(
        eq(pipelines.tenant, tenant),
        isNull(pipelines.deletedAt),
        filters.tag === undefined ? undefined : arrayContains(pipelines.tags, [filters.tag]),
      );
      const [counted] = await database.select({ total: count() }).from(pipelines).where(wanted);
      const items = await database
        .select(SUMMARY)
        .from(pipelines)
        .innerJoin(pipelineRevisions, CURRENT_REVISION)
        .where(wanted)
        .orderBy(desc(pipelines.createdAt), desc(pipelines.pipelineId))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },

    /** The newest documents of all that are registered, by their ids, from the one after: to go through in portions. */
    async documents(
      tenant: string,
      limit: number,
      afterPipelineId = '',
    ): Promise<Pick<PipelineRow, 'pipelineId' | 'name' | 'document'>[]> {
      return database
        .select({ pipelineId: pipelines.pipelineId, name: pipelines.name, document: pipelineRevisions.document })
        .from(pipelines)
        .innerJoin(pipelineRevisions, CURRENT_REVISION)
        .where(
          and(eq(pipelines.tenant, tenant), isNull(pipelines.deletedAt), gt(pipelines.pipelineId, afterPipelineId)),
        )
        .orderBy(asc(pipelines.pipelineId))
        .limit(limit);
    },

    /** Its runs and revisions stay, its name is free again. The id of what was removed, or undefined. */
    async remove(tenant: string, idOrName: string): Promise<string | undefined> {
      const [removed] = await database
        .update(pipelines)
        .set({ deletedAt: NOW, updatedAt: NOW })
        .where(namedBy(tenant, idOrName))
        .returning({ pipelineId: pipelines.pipelineId });
      return removed?.pipelineId;
    },

    /** Whether its schedule starts runs. */
    async setEnabled(tenant: string, idOrName: string, enabled: boolean): Promise<PipelineRow | undefined> {
      const [changed] = await database
        .update(pipelines)
        .set({ enabled, updatedAt: NOW })
        .where(namedBy(tenant, idOrName))
        .returning({ pipelineId: pipelines.pipelineId });
      return changed && repository.find(tenant, changed.pipelineId);
    },
  };
  return repository;
}

function pipelineIdOf(seed: string): string {
  return `pl_${seed.replaceAll('-', '').slice(0, 20)}`;
}

function namedBy(tenant: string, idOrName: string) {
  return and(
    eq(pipelines.tenant, tenant),
    or(eq(pipelines.pipelineId, idOrName), eq(pipelines.name, idOrName)),
    isNull(pipelines.deletedAt),
  );
}

async function refuseTakenName(database: Database, tenant: string, name: string): Promise<void> {
  const [taken] = await database.select({ id: pipelines.pipelineId }).from(pipelines).where(namedBy(tenant, name));
  if (taken !== undefined) throw nameTaken(name);
}

function nameTaken(name: string): ServiceError {
  return new ServiceError('CONFLICT', `A pipeline named ${name} exists already`);
}
