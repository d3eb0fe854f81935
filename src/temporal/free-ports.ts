import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';

const HOST = '127.0.0.1';

/**
 * As many different ports that are free on loopback as there are wishes, each the wished one where it is free. They are
 * free when this returns; whoever takes one must be ready to ask again.
 */
export async function freePorts(wishes: readonly (number | undefined)[]): Promise<number[]> {
  const servers: Server[] = [];
  try {
    // One after the other, and all held until the last is found: no port twice.
    for (const wish of wishes) servers.push((await tryListen(wish ?? 0)) ?? (await listen(0)));
    return servers.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, HOST);
  await once(server, 'listening');
  return server;
}

function tryListen(port: number): Promise<Server | undefined> {
  return listen(port).catch(() => undefined);
}
