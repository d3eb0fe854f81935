/** Which engines a document may name here: what is not configured is refused when it is registered (spec section 4). */
import type { Config } from '../config.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import type { DocumentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';
import { checkSparkCompute } from './check-spark-compute.ts';

/** Whether the service can drive each of them, as built and as configured. */
export interface EngineAvailability {
  spark: boolean;
  /** A whole pipeline's work on a Spark cluster, `compute: spark`. */
  sparkCompute: boolean;
  airflow: boolean;
  flink: boolean;
  dbt: boolean;
  icebergRest: boolean;
  s3: boolean;
}

/** Everything is done by what is built in. */
export const BUILT_IN_ONLY: EngineAvailability = {
  spark: false,
  sparkCompute: false,
  airflow: false,
  flink: false,
  dbt: false,
  icebergRest: false,
  s3: false,
};

/** What the configuration names, of what this version can drive; `dbtFound`: whether the command is on this machine. */
export function engineAvailability(
  { airflow, spark, flink, s3 }: Config,
  { dbtFound }: { dbtFound: boolean },
): EngineAvailability {
  return {
    ...BUILT_IN_ONLY,
    spark: spark.restUrl !== undefined || spark.k8sNamespace !== undefined,
    sparkCompute: spark.restUrl !== undefined,
    airflow: airflow.url !== undefined,
    flink: flink.sqlGatewayUrl !== undefined && flink.restUrl !== undefined,
    dbt: dbtFound,
    s3: s3.configured,
  };
}

export const SPARK_COMPUTE_NOT_CONFIGURED = 'spark is not configured as compute: SPARK_REST_URL names it';

/** This version has no client for these; the variables are what will configure them. */
const NOT_CONFIGURED = {
  spark: 'spark is not configured: SPARK_REST_URL or SPARK_K8S_NAMESPACE names it',
  sparkCompute: SPARK_COMPUTE_NOT_CONFIGURED,
  airflow: 'airflow is not configured: AIRFLOW_URL names it',
  flink: 'flink is not configured: FLINK_SQL_GATEWAY_URL and FLINK_REST_URL name it',
  dbt: 'dbt is not configured: DBT_COMMAND names no program on the PATH of the service',
  s3: 's3:// is not configured: S3_ENDPOINT names the service, or AWS_REGION the region of AWS; expected a local path',
} as const satisfies Partial<Record<keyof EngineAvailability, string>>;

export function checkEngines(parts: DocumentParts, available: EngineAvailability): Fault[] {
  return [
    ...Array.from(parts.sources).flatMap(([name, source]) => {
      const path = `definition.sources.${name}`;
      if (source?.type === 'file') return faultOfPath(`${path}.path`, source.path, available);
      return source?.type === 'spark' ? faultOf(`${path}.type`, 'spark', available) : [];
    }),
    ...parts.transformations.flatMap(({ whole }, index) =>
      whole === undefined || whole.engine === 'sql'
        ? []
        : faultOf(`definition.transformations.${index}.engine`, whole.engine, available),
    ),
    ...Array.from(parts.sinks).flatMap(([name, { whole }]) =>
      whole?.type === 'file' ? faultOfPath(`definition.sinks.${name}.path`, whole.path, available) : [],
    ),
    ...(parts.orchestration?.compute === 'spark'
      ? available.sparkCompute
        ? checkSparkCompute(parts)
        : faultOf('definition.orchestration.compute', 'sparkCompute', available)
      : []),
  ];
}

function faultOf(path: string, engine: keyof typeof NOT_CONFIGURED, available: EngineAvailability): Fault[] {
  return available[engine] ? [] : [{ path, message: NOT_CONFIGURED[engine] }];
}

function faultOfPath(path: string, written: string, available: EngineAvailability): Fault[] {
  if (isS3Uri(written)) return faultOf(path, 's3', available);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(written)?.[1];
  return scheme === undefined || scheme.toLowerCase() === 'file'
    ? []
    : [{ path, message: `expected a local path or s3://bucket/key, got one that starts with ${scheme}://` }];
}
