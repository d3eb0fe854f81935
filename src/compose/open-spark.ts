import type { Config } from '../config.ts';
import { fileUri } from '../engines/iceberg/local-file-io.ts';
import { isS3Uri } from '../engines/s3/s3-address.ts';
import { SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import { SparkTableRewriter } from '../engines/spark/maintenance/spark-table-rewriter.ts';
import type { SparkSubmitter } from '../engines/spark/spark-submitter.ts';
import { StandaloneMaster } from '../engines/spark/standalone-master.ts';
import { StandaloneSubmitter } from '../engines/spark/standalone-submitter.ts';
import { CATALOG_NAME, embeddedCatalog } from './iceberg-catalog.ts';

/** Undefined while neither is configured; the configuration refuses both. */
export async function openSpark({ restUrl, k8sNamespace }: Config['spark']): Promise<SparkSubmitter | undefined> {
  if (restUrl !== undefined) return new StandaloneSubmitter(new StandaloneMaster(restUrl));
  if (k8sNamespace === undefined) return undefined;
  // Kubernetes' client takes tens of megabytes; most processes do without.
  const { KubernetesCluster } = await import('../engines/spark/kubernetes-cluster.ts');
  const { KubernetesSubmitter } = await import('../engines/spark/kubernetes-submitter.ts');
  return new KubernetesSubmitter(KubernetesCluster.default(k8sNamespace));
}

/** What does the work of pipelines with `compute: spark`. */
export function openSparkCompute(
  { computeConf }: Config['spark'],
  submitter: SparkSubmitter | undefined,
): SparkCompute | undefined {
  return submitter === undefined ? undefined : new SparkCompute(submitter, computeConf);
}

/** What a Spark that rewrites tables still needs; undefined when it has all. */
export function sparkTablesMissing({ spark, iceberg }: Config): string | undefined {
  const { restUrl, k8sNamespace } = spark;
  if (restUrl === undefined && k8sNamespace === undefined) {
    return 'spark is not configured: SPARK_REST_URL or SPARK_K8S_NAMESPACE names it';
  }
  return iceberg.restUri === undefined && restUrl === undefined
    ? 'spark on Kubernetes reaches no catalog in a file: ICEBERG_REST_URI names one'
    : undefined;
}

/** By Iceberg's own action, in the catalog of this service; undefined where Spark cannot. */
export function openSparkTableRewriter(
  config: Config,
  dataDir: string,
  submitter: SparkSubmitter | undefined,
): SparkTableRewriter | undefined {
  if (submitter === undefined || sparkTablesMissing(config) !== undefined) return undefined;
  const conf = { ...catalogProperties(config, dataDir), ...config.spark.computeConf };
  return new SparkTableRewriter({ submitter, conf, catalogName: CATALOG_NAME });
}

/** A token or a user of the catalog is not among them: the cluster has those in a file of its own. */
function catalogProperties({ iceberg }: Config, dataDir: string): Record<string, string> {
  const { restUri, warehouse } = iceberg;
  const { file, warehouse: embedded } = embeddedCatalog(iceberg, dataDir);
  const kind: Record<string, string> =
    restUri === undefined
      ? {
          type: 'jdbc',
          uri: `jdbc:sqlite:${file}`,
          'jdbc.schema-version': 'V1',
          warehouse: isS3Uri(embedded) ? embedded : fileUri(embedded),
        }
      : { type: 'rest', uri: restUri, ...(warehouse !== undefined && { warehouse }) };
  const catalog = `spark.sql.catalog.${CATALOG_NAME}`;
  return {
    'spark.sql.extensions': 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions',
    [catalog]: 'org.apache.iceberg.spark.SparkCatalog',
    [`${catalog}.cache-enabled`]: 'false',
    ...Object.fromEntries(Object.entries(kind).map(([name, value]) => [`${catalog}.${name}`, value])),
  };
}
