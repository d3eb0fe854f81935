import { Client, Connection } from '@temporalio/client';

const NAMESPACE = 'matih-pipelines';

/** A bare client of the service's own Temporal, for what the service is measured against. */
export async function withTemporal<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection, namespace: NAMESPACE }));
  } finally {
    await connection.close();
  }
}
