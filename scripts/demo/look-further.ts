/** Where somebody who has seen the demo goes next. */
import { join } from 'node:path';
import { styleText } from 'node:util';
import type { StartedRun } from '../../src/schemas/api-run-answers.ts';
import type { ServiceProcess } from '../service-process.ts';

const DEFAULT_URL = 'http://127.0.0.1:8092';

/** The command line as it has to be called to reach this service. */
export function pipelinesCommand(url: string): string {
  return `${url === DEFAULT_URL ? '' : `PIPELINES_URL=${url} `}npm run pipelines --`;
}

export function lookFurther(
  { url, temporalUi, logFile }: ServiceProcess,
  { executionId, statusUrl }: StartedRun,
  { dataDir, table, ends }: { dataDir: string; table: string | undefined; ends: boolean },
): string {
  const title = styleText('bold', 'Look further');
  const comesBack = `DATA_DIR=${dataDir} PORT=${new URL(url).port} npm start`;
  const lines: [string, string][] = [
    ['status', `${url}${statusUrl}`],
    ['quality', `${url}/v1/pipelines/executions/${executionId}/quality`],
    ['steps', `${pipelinesCommand(url)} steps ${executionId}`],
    ['API', `${url}/docs`],
    ['metrics', `${url}/metrics`],
    ...(temporalUi === undefined ? [] : [['Temporal', temporalUi] satisfies [string, string]]),
    ['log', logFile],
    ...(table === undefined ? [] : fromPython(dataDir, table)),
  ];
  return [
    ends ? `${title} (the service ends with the demo; ${comesBack} brings it back)` : title,
    ...lines.map(([name, text]) => `  ${name.padEnd(9)} ${text}`),
  ].join('\n');
}

function fromPython(dataDir: string, table: string): [string, string][] {
  const catalog = join(dataDir, 'iceberg', 'catalog.db');
  const python =
    `from pyiceberg.catalog.sql import SqlCatalog; ` +
    `print(SqlCatalog('matih', uri='sqlite:///${catalog}').load_table('${table}').scan(limit=10).to_arrow())`;
  return [
    ['Python', `pip install 'pyiceberg[sql-sqlite,pyarrow]'`],
    ['', `python3 -c "${python}"`],
  ];
}
