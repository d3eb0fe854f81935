/** `SparkApplication`, as the Spark operator has it (https://www.kubeflow.org/docs/components/spark-operator/). */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../../schemas/json.ts';

export const SPARK_APPLICATIONS = {
  group: 'sparkoperator.k8s.io',
  version: 'v1beta2',
  plural: 'sparkapplications',
} as const;

const STEP_LABEL = 'pipeline-service/step';
/** What was asked for: the API server fills in more, so two objects are not compared as they are. */
export const REQUEST_ANNOTATION = 'pipeline-service/request';

/** Of a driver image that names no other one. */
const SPARK_VERSION = '4.1.4';
/** After its end; a run's staging is kept as long. */
const KEPT_SECONDS = 7 * 24 * 3_600;

export interface ApplicationRequest {
  name: string;
  /** What the names of all of the step's jobs start with. */
  prefix: string;
  mainFile: string;
  args: readonly string[];
  properties: Readonly<Record<string, string>>;
}

/** Selects the applications of a step. */
export function stepLabel(prefix: string): string {
  return `${STEP_LABEL}=${labelValue(prefix)}`;
}

/** The object to create. It is named, and that is what makes it one; it is run once, since retrying is the step's. */
export function sparkApplication({ name, prefix, mainFile, args, properties }: ApplicationRequest): JsonObject {
  const spec: JsonObject = {
    type: 'Python',
    pythonVersion: '3',
    mode: 'cluster',
    sparkVersion: SPARK_VERSION,
    mainApplicationFile: mainFile,
    arguments: [...args],
    sparkConf: { ...properties },
    restartPolicy: { type: 'Never' },
    timeToLiveSeconds: KEPT_SECONDS,
    // Their sizes, image and service account are Spark properties.
    driver: {},
    executor: {},
  };
  return {
    apiVersion: `${SPARK_APPLICATIONS.group}/${SPARK_APPLICATIONS.version}`,
    kind: 'SparkApplication',
    metadata: {
      name,
      labels: { 'app.kubernetes.io/managed-by': 'pipeline-service', [STEP_LABEL]: labelValue(prefix) },
      annotations: { [REQUEST_ANNOTATION]: createHash('sha256').update(JSON.stringify(spec)).digest('hex') },
    },
    spec,
  };
}

/** A label's value ends with a letter or a digit. */
function labelValue(prefix: string): string {
  return prefix.replace(/-g$/, '');
}
