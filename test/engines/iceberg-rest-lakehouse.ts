/** A {@link Lakehouse} that is written through a REST catalog, with a proxy in front in which tests meddle. */
import { LocalFileIo } from '../../src/engines/iceberg/local-file-io.ts';
import { RestCatalog } from '../../src/engines/iceberg/rest-catalog.ts';
import type { RestClientOptions } from '../../src/engines/iceberg/rest-client.ts';
import { IcebergRestServer } from '../support/iceberg-rest-server.ts';
import { KillingProxy, type ProxiedRequest } from '../support/killing-proxy.ts';
import { Lakehouse } from './lakehouse.ts';

export interface RestLakehouse {
  lakehouse: Lakehouse;
  server: IcebergRestServer;
  proxy: KillingProxy;
  /** The catalog through the proxy, as another process would open it. */
  openCatalog(options?: Partial<RestClientOptions>): RestCatalog;
  close(): Promise<void>;
}

export async function openRestLakehouse(): Promise<RestLakehouse> {
  const opened: { server?: IcebergRestServer; proxy?: KillingProxy } = {};
  const lakehouse = await Lakehouse.open(async (lake) => {
    opened.server = await IcebergRestServer.start(lake);
    opened.proxy = await KillingProxy.start(opened.server.url);
    return new RestCatalog({ uri: opened.proxy.url, io: new LocalFileIo() });
  });
  const { server, proxy } = opened as Required<typeof opened>;
  return {
    lakehouse,
    server,
    proxy,
    openCatalog: (options = {}) => new RestCatalog({ uri: proxy.url, io: new LocalFileIo(), ...options }),
    close: async () => {
      await lakehouse.close();
      await proxy[Symbol.asyncDispose]();
      await server.stop();
    },
  };
}

/** Whether a request commits to a table. */
export function isCommit({ method, path }: ProxiedRequest): boolean {
  return method === 'POST' && /\/tables\/[^/]+$/.test(path);
}
