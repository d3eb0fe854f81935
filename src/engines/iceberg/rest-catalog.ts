/**
 * A catalog behind the Iceberg REST specification (Apache Iceberg, `open-api/rest-catalog-open-api.yaml`): the
 * production side of this service's tables. Tables are committed one at a time; what a commit requires and changes goes
 * over as it is, and the catalog decides.
 */
import { stringify } from 'lossless-json';
import { EngineError } from '../../errors.ts';
import {
  CommitConflict,
  CommitRefused,
  type IcebergCatalog,
  type LoadedTable,
  type NewTable,
  type TableIdentifier,
} from './catalog.ts';
import type { FileIo } from './file-io.ts';
import { ManifestReader } from './live-files.ts';
import { RestClient, type CatalogRequest, type RestClientOptions } from './rest-client.ts';
import { faultOf, refusalOf } from './rest-errors.ts';
import { type CatalogAnswer, NotSent } from './rest-exchange.ts';
import type { TableRequirement, TableUpdate } from './table-changes.ts';
import { parseIcebergJson, tableMetadataOf } from './table-metadata.ts';

export interface RestCatalogOptions extends RestClientOptions {
  /** For the locations that the catalog gives to tables. Credentials that it hands out with a table are not used. */
  io: FileIo;
}

export class RestCatalog implements IcebergCatalog {
  readonly #client: RestClient;
  readonly #io: FileIo;
  readonly #manifests: ManifestReader;

  constructor({ io, ...options }: RestCatalogOptions) {
    this.#client = new RestClient(options);
    this.#io = io;
    this.#manifests = new ManifestReader(io);
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable | undefined> {
    const answer = await this.#send({ method: 'GET', path: (of) => tablePath(identifier, of) });
    if (isNotFound(answer)) return undefined;
    if (answer.status !== 200) throw refusalOf(answer, `load ${fullName(identifier)}`);
    return this.#loaded(answer);
  }

  async stageTable(identifier: TableIdentifier, table: NewTable): Promise<LoadedTable> {
    await this.#makeNamespace(identifier.namespace);
    const answer = await this.#send({
      method: 'POST',
      path: (of) => `namespaces/${of(identifier.namespace)}/tables`,
      body: format({
        name: identifier.name,
        schema: { ...table.schema, 'schema-id': 0 },
        'partition-spec': table.spec,
        'stage-create': true,
        properties: { 'format-version': '2' },
      }),
    });
    if (answer.status === 409) throw (await this.#taken(identifier, answer)) ?? conflict(answer);
    if (answer.status !== 200) throw refusalOf(answer, `make ${fullName(identifier)}`);
    return this.#loaded(answer);
  }

  async commitTable(
    identifier: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
  ): Promise<LoadedTable> {
    const sent = this.#client.send({
      method: 'POST',
      path: (of) => tablePath(identifier, of),
      body: format({ requirements, updates }),
    });
    const answer = await sent.catch((error: unknown) => {
      throw error instanceof NotSent ? new CommitRefused(error.cause) : error;
    });
    if (answer.status === 200) return this.#loaded(answer);
    if (answer.status === 409 && requirements.some(({ type }) => type === 'assert-create')) {
      const taken = await this.#taken(identifier, answer);
      if (taken !== undefined) throw new CommitRefused(taken);
    }
    if (answer.status === 409 || isNotFound(answer)) throw conflict(answer);
    const refusal = refusalOf(answer, `commit to ${fullName(identifier)}`);
    // Anything else (500, 502, 503, 504, what a gateway says) may have come after the commit: nobody knows.
    throw answer.status === 429 || !refusal.retryable ? new CommitRefused(refusal) : refusal;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The namespace and those above it, where they are missing; many catalogs do not make the upper ones by themselves. */
  async #makeNamespace(levels: readonly string[]): Promise<void> {
    const found = await this.#send({ method: 'GET', path: (of) => `namespaces/${of(levels)}` });
    if (found.status === 200) return;
    if (!isNotFound(found)) throw refusalOf(found, `tell about the namespace ${levels.join('.')}`);
    if (levels.length > 1) await this.#makeNamespace(levels.slice(0, -1));
    const body = format({ namespace: levels, properties: {} });
    const made = await this.#send({ method: 'POST', path: () => 'namespaces', body });
    // 409: somebody else made it meanwhile.
    if (made.status !== 200 && made.status !== 409) throw refusalOf(made, `make the namespace ${levels.join('.')}`);
  }

  /** Views have names of the same kind: a table that cannot be made, since there is one, and is not there, is a view. */
  async #taken(identifier: TableIdentifier, answer: CatalogAnswer): Promise<EngineError | undefined> {
    if ((await this.loadTable(identifier)) !== undefined) return undefined;
    return new EngineError('ValidationError', `${fullName(identifier)} is no table: ${faultOf(answer).message}`);
  }

  /** For requests that may be repeated: that nobody saw one is the same as that nobody answered it. */
  #send(request: CatalogRequest): Promise<CatalogAnswer> {
    return this.#client.send(request).catch((error: unknown) => {
      throw error instanceof NotSent ? error.cause : error;
    });
  }

  /** REST specification, `LoadTableResult`. */
  #loaded({ text }: CatalogAnswer): LoadedTable {
    const answer = parseIcebergJson(text) as { metadata?: unknown; 'metadata-location'?: string | null };
    const metadataLocation = answer['metadata-location'] ?? undefined;
    return { metadata: tableMetadataOf(answer.metadata), io: this.#io, manifests: this.#manifests, metadataLocation };
  }
}

function conflict(answer: CatalogAnswer): CommitConflict {
  return new CommitConflict(faultOf(answer).message);
}

function tablePath({ namespace, name }: TableIdentifier, of: (levels: readonly string[]) => string): string {
  return `namespaces/${of(namespace)}/tables/${encodeURIComponent(name)}`;
}

/** The catalog itself says so, not something in front of it. */
function isNotFound(answer: CatalogAnswer): boolean {
  return answer.status === 404 && faultOf(answer).type !== undefined;
}

function fullName({ namespace, name }: TableIdentifier): string {
  return [...namespace, name].join('.');
}

/** With 64-bit numbers as they are. */
function format(body: object): string {
  const text = stringify(body);
  if (text === undefined) throw new TypeError('nothing to send');
  return text;
}
