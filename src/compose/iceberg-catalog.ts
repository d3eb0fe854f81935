/** The catalog of this service's tables: a REST catalog when one is named, else the embedded one. */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { LocalFileIo } from '../engines/iceberg/local-file-io.ts';
import { RestCatalog } from '../engines/iceberg/rest-catalog.ts';
import { SqlCatalog } from '../engines/iceberg/sql-catalog.ts';

/** A REST catalog is not asked for anything yet: the service starts also while it is away. */
export function openIcebergCatalog({ iceberg }: Pick<Config, 'iceberg'>, dataDir: string): IcebergCatalog {
  const { restUri, warehouse, token, credential } = iceberg;
  if (restUri !== undefined) {
    return new RestCatalog({ uri: restUri, warehouse, token, credential, io: new LocalFileIo() });
  }
  const folder = join(dataDir, 'iceberg');
  const file = join(folder, 'catalog.db');
  return new SqlCatalog({ file, name: 'matih', warehouse: warehouse ?? join(folder, 'warehouse') });
}
