import type { Config } from '../config.ts';
import { SparkCompute } from '../engines/spark/compute/spark-compute.ts';
import type { SparkSubmitter } from '../engines/spark/spark-submitter.ts';
import { StandaloneMaster } from '../engines/spark/standalone-master.ts';
import { StandaloneSubmitter } from '../engines/spark/standalone-submitter.ts';

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
