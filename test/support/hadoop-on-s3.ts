/**
 * What makes a cluster of the Hadoop family reach an S3 service, as its operator would set it up: hadoop-aws on the class
 * path (test/engines/hadoop-aws), a `core-site.xml` that says where S3 is, and the keys in its processes' environment. The
 * service tells the cluster none of that.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cachedBuild } from './cached-build.ts';
import type { S3Gateway } from './s3-gateway.ts';

const POM = path.join(import.meta.dirname, '../engines/hadoop-aws/pom.xml');

/** @param folder absolute, there already; gets the settings */
export async function hadoopOnS3(gateway: S3Gateway, folder: string): Promise<Record<string, string>> {
  const jars = await installHadoopAws();
  await writeFile(path.join(folder, 'core-site.xml'), coreSite(gateway.url));
  const { S3_ENDPOINT: _, ...keys } = gateway.environment;
  return { ...keys, SPARK_DIST_CLASSPATH: [folder, path.join(jars, '*')].join(':') };
}

/** The folder of its jars. */
export function installHadoopAws(): Promise<string> {
  return cachedBuild({
    name: 'hadoop-aws',
    madeFrom: [POM],
    build: async (into, run) => {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${into}`, '-DincludeScope=runtime'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', POM, ...copy]);
    },
  });
}

function coreSite(endpoint: string): string {
  const settings = {
    'fs.s3a.endpoint': endpoint,
    'fs.s3a.endpoint.region': 'us-east-1',
    'fs.s3a.path.style.access': 'true',
    'fs.s3a.connection.ssl.enabled': 'false',
    // What Iceberg tables call it.
    'fs.s3.impl': 'org.apache.hadoop.fs.s3a.S3AFileSystem',
  };
  const properties = Object.entries(settings).map(
    ([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`,
  );
  return `<configuration>${properties.join('')}</configuration>\n`;
}
