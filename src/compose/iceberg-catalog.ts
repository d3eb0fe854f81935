/** The catalog of this service's tables: a REST catalog when one is named, else the embedded one. */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { FileIoByScheme } from '../engines/iceberg/file-io-by-scheme.ts';
import { RestCatalog } from '../engines/iceberg/rest-catalog.ts';
import { SqlCatalog } from '../engines/iceberg/sql-catalog.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';

/** By which the rows of the embedded catalog are marked; Spark calls either kind so. */
export const CATALOG_NAME = 'matih';

/** A REST catalog is not asked for anything yet: the service starts also while it is away. */
export function openIcebergCatalog(
  { iceberg }: Pick<Config, 'iceberg'>,
  dataDir: string,
  s3: S3Access | undefined,
): IcebergCatalog {
  const { restUri, warehouse, token, credential } = iceberg;
  const io = new FileIoByScheme(s3);
  if (restUri !== undefined) {
    return new RestCatalog({ uri: restUri, warehouse, token, credential, io });
  }
  return new SqlCatalog({ ...embeddedCatalog(iceberg, dataDir), name: CATALOG_NAME, io });
}

/** Where the embedded catalog and its tables lie, for others that open it, too. */
export function embeddedCatalog(
  { warehouse }: Pick<Config['iceberg'], 'warehouse'>,
  dataDir: string,
): { file: string; warehouse: string } {
  const folder = join(dataDir, 'iceberg');
  return { file: join(folder, 'catalog.db'), warehouse: warehouse ?? join(folder, 'warehouse') };
}
