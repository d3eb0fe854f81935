/**
 * `npm run engines`: everything that the tests against real engines install, one after another. What is there stays; what
 * is missing when a test needs it is installed by that test, so this is only for having it sooner.
 */
import { installAirflow } from '../support/airflow-server.ts';
import { dbtCommand } from '../support/dbt-environment.ts';
import { flinkInstallation, flinkS3Plugins } from '../support/flink-installation.ts';
import { installHadoopAws } from '../support/hadoop-on-s3.ts';
import { installIcebergRest, installIcebergS3 } from '../support/iceberg-rest-server.ts';
import { preparePythonEnvironment } from '../support/python-environment.ts';
import { installS3Gateway } from '../support/s3-gateway.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const ENGINES: [name: string, install: () => Promise<unknown>][] = [
  ['pyiceberg and Spark', () => preparePythonEnvironment(say)],
  ['Iceberg REST catalog', installIcebergRest],
  ['Iceberg REST catalog on S3', installIcebergS3],
  ['S3', installS3Gateway],
  ['Airflow', installAirflow],
  ['Flink', flinkInstallation],
  ['Flink on S3', flinkS3Plugins],
  ['dbt', dbtCommand],
  ['Spark on S3', installHadoopAws],
];

for (const [name, install] of ENGINES) {
  const startedMs = performance.now();
  await install();
  say(`${name}: ready after ${Math.round((performance.now() - startedMs) / 1000)} s`);
}
