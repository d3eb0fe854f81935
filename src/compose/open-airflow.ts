import type { Config } from '../config.ts';
import { AirflowClient } from '../engines/airflow/airflow-client.ts';

/** Undefined while AIRFLOW_URL is not set; with it the configuration has the user, too. */
export function openAirflow({ url, username = '', password = '' }: Config['airflow']): AirflowClient | undefined {
  return url === undefined ? undefined : new AirflowClient({ url, username, password });
}
