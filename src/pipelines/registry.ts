/**
 * Pipelines as the API manages them (spec sections 3 and 4): validated whole before anything is stored, in revisions
 * that never change, each change with its audit entry.
 */
import { ServiceError } from '../errors.ts';
import type { PipelineAnswer, PipelineSummary, PipelineWritten, Revision } from '../schemas/api-answers.ts';
import type { PageQuery } from '../schemas/api-requests.ts';
import type { Fault } from '../schemas/fault.ts';
import type { NewAuditEntry } from '../store/audit.ts';
import type { PageOf } from '../store/page.ts';
import type { PipelineRow, PipelineSummaryRow } from '../store/pipelines.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';
import { validateDocument, type ValidationEnvironment } from './validate-document.ts';

export class PipelineRegistry {
  readonly #store: Store;
  readonly #environment: ValidationEnvironment;

  constructor(store: Store, environment: ValidationEnvironment) {
    this.#store = store;
    this.#environment = environment;
  }

  /** Called again with the same `reservedId`, after a crash, it finds the pipeline that it had made. */
  async create(actor: Actor, raw: unknown, reservedId: string): Promise<PipelineWritten> {
    const content = await this.#contentOf(raw);
    return this.#store.transaction(async ({ pipelines, audit }) => {
      const row = await pipelines.create({ ...content, tenant: actor.tenant, actor: actor.user, reservedId });
      const entry = entryOf(actor, 'pipeline.create', row);
      const before = await audit.list(actor.tenant, { page: 0, size: 1 }, entry);
      if (before.total === 0) await audit.append(entry);
      return { ...writtenOf(row), status: 'CREATED' };
    });
  }

  /** A new revision. By its id a pipeline can also be renamed; by its name that would rather be a slip. */
  async update(actor: Actor, idOrName: string, raw: unknown): Promise<PipelineWritten> {
    const { name } = await this.#find(actor, idOrName);
    const content = await this.#contentOf(raw);
    if (idOrName === name && content.name !== name) {
      throw invalid([{ path: 'name', message: `expected ${name}, as in the path; a pipeline is renamed by its id` }]);
    }
    return this.#store.transaction(async ({ pipelines, audit }) => {
      const updated = await pipelines.update({ ...content, tenant: actor.tenant, actor: actor.user, idOrName });
      const row = found(updated, idOrName);
      await audit.append(entryOf(actor, 'pipeline.update', row));
      return { ...writtenOf(row), status: 'UPDATED' };
    });
  }

  async validate(raw: unknown): Promise<{ valid: boolean; errors: Fault[] }> {
    const outcome = await validateDocument(raw, this.#environment);
    return 'faults' in outcome ? { valid: false, errors: [...outcome.faults] } : { valid: true, errors: [] };
  }

  /** Newest first. */
  async list(actor: Actor, page: PageQuery): Promise<PageOf<PipelineSummary>> {
    const { items, total } = await this.#store.pipelines.list(actor.tenant, page);
    return { items: items.map(summaryOf), total };
  }

  async get(actor: Actor, idOrName: string): Promise<PipelineAnswer> {
    return answerOf(await this.#find(actor, idOrName));
  }

  /** Newest first. */
  async revisions(actor: Actor, idOrName: string, page: PageQuery): Promise<PageOf<Revision>> {
    const { items, total } = found(await this.#store.pipelines.revisions(actor.tenant, idOrName, page), idOrName);
    return {
      items: items.map(({ revision, version, createdAt, createdBy, document }) => ({
        revision,
        version,
        createdAt: createdAt.toISOString(),
        createdBy,
        document: { ...document },
      })),
      total,
    };
  }

  /** Open runs go on: each names its revision. */
  async remove(actor: Actor, idOrName: string): Promise<void> {
    await this.#store.transaction(async ({ pipelines, audit }) => {
      const row = found(await pipelines.find(actor.tenant, idOrName), idOrName);
      found(await pipelines.remove(actor.tenant, row.pipelineId), idOrName);
      await audit.append(entryOf(actor, 'pipeline.remove', row));
    });
  }

  /** Whether its schedule starts runs; starting one by hand is always possible. */
  async setEnabled(actor: Actor, idOrName: string, enabled: boolean): Promise<PipelineAnswer> {
    return this.#store.transaction(async ({ pipelines, audit }) => {
      const row = found(await pipelines.setEnabled(actor.tenant, idOrName, enabled), idOrName);
      await audit.append(entryOf(actor, enabled ? 'pipeline.enable' : 'pipeline.disable', row));
      return answerOf(row);
    });
  }

  async #find(actor: Actor, idOrName: string): Promise<PipelineRow> {
    return found(await this.#store.pipelines.find(actor.tenant, idOrName), idOrName);
  }

  /** What a revision is made of. @throws ServiceError VALIDATION_FAILED with all faults */
  async #contentOf(raw: unknown) {
    const outcome = await validateDocument(raw, this.#environment);
    if ('faults' in outcome) throw invalid(outcome.faults);
    const { name, version, tags } = outcome.document;
    return { name, version, tags, document: outcome.raw };
  }
}

function found<T>(row: T | undefined, idOrName: string): T {
  if (row === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no pipeline ${idOrName}`);
  return row;
}

function invalid(faults: readonly Fault[]): ServiceError {
  return new ServiceError('VALIDATION_FAILED', 'The document is not valid', faults);
}

function entryOf(actor: Actor, action: string, { pipelineId, name, revision }: PipelineRow): NewAuditEntry {
  return {
    tenant: actor.tenant,
    actor: actor.user,
    action,
    subject: pipelineId,
    details: { name, revision },
    requestId: actor.requestId,
  };
}

function writtenOf({ pipelineId, name, version, revision, updatedAt }: PipelineRow) {
  return { pipelineId, name, version, revision, createdAt: updatedAt.toISOString() };
}

function summaryOf(row: PipelineSummaryRow): PipelineSummary {
  const { pipelineId, name, version, revision, enabled, description, owner, tags, createdAt, updatedAt } = row;
  return {
    pipelineId,
    name,
    version,
    revision,
    enabled,
    ...(description !== null && { description }),
    ...(owner !== null && { owner }),
    tags,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function answerOf(row: PipelineRow): PipelineAnswer {
  // As it was sent: what the schema adds to a document is not in it.
  const { parameters = {}, definition } = row.document as Pick<PipelineAnswer, 'definition'> & Partial<PipelineAnswer>;
  return { ...summaryOf(row), parameters, definition };
}
