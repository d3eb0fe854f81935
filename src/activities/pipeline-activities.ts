/** The activities of `DataPipelineWorkflow`, by the names that they have in Temporal (spec section 2). */
import type { AirflowClient } from '../engines/airflow/airflow-client.ts';
import type { DbtEngine } from '../engines/dbt/dbt-engine.ts';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { EgressGuard } from '../engines/egress-guard.ts';
import type { Flink } from '../engines/flink/run-job.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import type { SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import type { SparkSubmitter } from '../engines/spark/spark-submitter.ts';
import type { QualityResult, StepInput, StepResult } from '../workflows/messages.ts';
import { createExtractData } from './extract-data.ts';
import { createLoadToIceberg } from './load-to-iceberg.ts';
import { createLoadToPostgres } from './load-to-postgres.ts';
import type { NotificationActivities } from './notifications.ts';
import { createRunDbt, type DbtStepResult } from './run-dbt.ts';
import { createRunFlinkStatement } from './run-flink-statement.ts';
import { createRunSparkJob } from './run-spark-job.ts';
import { createRunSql } from './run-sql.ts';
import type { SecretResolver } from './secrets.ts';
import type { StepDependencies } from './step-activity.ts';
import { createTriggerAirflowDag } from './trigger-airflow-dag.ts';
import { createValidateQuality } from './validate-quality.ts';
import { createWriteFile } from './write-file.ts';

export interface StepActivities {
  extract_data(input: StepInput): Promise<StepResult>;
  validate_quality(input: StepInput): Promise<QualityResult>;
  run_sql(input: StepInput): Promise<StepResult>;
  trigger_airflow_dag(input: StepInput): Promise<StepResult>;
  run_flink_statement(input: StepInput): Promise<StepResult>;
  run_spark_job(input: StepInput): Promise<StepResult>;
  run_dbt(input: StepInput): Promise<DbtStepResult>;
  load_to_iceberg(input: StepInput): Promise<StepResult>;
  load_to_postgres(input: StepInput): Promise<StepResult>;
  write_file(input: StepInput): Promise<StepResult>;
}

export type PipelineActivities = StepActivities & NotificationActivities;

export interface PipelineDependencies extends StepDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
  roots: FileRoots;
  /** Undefined while neither S3_ENDPOINT nor AWS_REGION is set. */
  s3: S3Access | undefined;
  secrets: SecretResolver;
  egress: EgressGuard;
  airflow: AirflowClient | undefined;
  dbt: DbtEngine | undefined;
  flink: Flink | undefined;
  spark: SparkSubmitter | undefined;
  compute: SparkCompute | undefined;
}

export function createStepActivities(dependencies: PipelineDependencies): StepActivities {
  return {
    extract_data: createExtractData(dependencies),
    validate_quality: createValidateQuality(dependencies),
    run_sql: createRunSql(dependencies),
    trigger_airflow_dag: createTriggerAirflowDag(dependencies),
    run_flink_statement: createRunFlinkStatement(dependencies),
    run_spark_job: createRunSparkJob(dependencies),
    run_dbt: createRunDbt(dependencies),
    load_to_iceberg: createLoadToIceberg(dependencies),
    load_to_postgres: createLoadToPostgres(dependencies),
    write_file: createWriteFile(dependencies),
  };
}
