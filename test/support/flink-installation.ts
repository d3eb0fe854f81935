/**
 * Flink as its parts are started: the jars of its distribution (test/engines/flink/requirements.txt, from PyPI) and those that it
 * leaves out (test/engines/flink/pom.xml, from Maven). Needs Python 3.11, Java 17 and Maven.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { cachedBuild } from './cached-build.ts';
import { pinnedEnvironment } from './pinned-environment.ts';

const SOURCES = path.join(import.meta.dirname, '../engines/flink');
const POM = path.join(SOURCES, 'pom.xml');
/** What Flink opens for itself in its own scripts' `env.java.opts.all`. */
const OPENED = ['lang', 'lang.reflect', 'net', 'io', 'nio', 'text', 'time', 'util', 'util.concurrent']
  .concat(['util.concurrent.atomic', 'util.concurrent.locks'])
  .map((name) => `java.${name}`)
  .concat('sun.nio.ch')
  .map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);
const BASH_UTILS = 'org.apache.flink.runtime.util.bash.BashJavaUtils';

export interface FlinkInstallation {
  /** Folder of Flink's `lib`, `opt`, `bin` and `plugins`. */
  home: string;
  /** Folder of the further jars. */
  jars: string;
}

export type FlinkPart = 'job manager' | 'task manager' | 'gateway';

export async function flinkInstallation(): Promise<FlinkInstallation> {
  const environment = await pinnedEnvironment({
    name: 'flink',
    requirements: path.join(SOURCES, 'requirements.txt'),
    check: ['python', '-c', 'import pyflink.version'],
  });
  const [python = ''] = await readdir(path.join(environment, 'lib'));
  const jars = await cachedBuild({
    name: 'flink-jars',
    madeFrom: [POM],
    build: async (folder, run) => {
      const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`, '-DexcludeTransitive=true'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', POM, ...copy]);
    },
  });
  return { home: path.join(environment, 'lib', python, 'site-packages/pyflink'), jars };
}

/** Folder of plugins with Flink's file system for S3 (test/engines/flink-s3). */
export function flinkS3Plugins(): Promise<string> {
  const pom = path.join(SOURCES, '../flink-s3/pom.xml');
  return cachedBuild({
    name: 'flink-s3',
    madeFrom: [pom],
    build: async (folder, run) => {
      const into = `-DoutputDirectory=${folder}/s3-fs-hadoop`;
      const copy = ['dependency:copy-dependencies', into, '-DexcludeTransitive=true'];
      await run('mvn', ['--batch-mode', '--quiet', '--file', pom, ...copy]);
    },
  });
}

/** Java's arguments for one of the parts. */
export async function javaArguments(
  { home, jars }: FlinkInstallation,
  part: FlinkPart,
  configuration: string,
): Promise<string[]> {
  const classPath = [`${home}/lib/*`, `${jars}/*`, `${home}/opt/*`].join(':');
  const small = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
  switch (part) {
    case 'job manager': {
      const main = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint';
      return ['-Xmx448m', ...small, ...OPENED, '-cp', classPath, main, '--configDir', configuration];
    }
    case 'task manager': {
      const main = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner';
      const [memory, dynamic] = await taskManagerParameters(home, configuration);
      return [...memory, ...small, ...OPENED, '-cp', classPath, main, '--configDir', configuration, ...dynamic];
    }
    case 'gateway':
      return ['-Xmx400m', ...small, ...OPENED, '-cp', classPath, 'org.apache.flink.table.gateway.SqlGateway'];
  }
}

/** Options of Java and settings of Flink that follow from the configured size of a task manager; Flink itself computes them. */
async function taskManagerParameters(home: string, configuration: string): Promise<[string[], string[]]> {
  const libraries = await readdir(path.join(home, 'lib'));
  const distribution = libraries.find((name) => name.startsWith('flink-dist-')) ?? '';
  const classPath = `${home}/bin/bash-java-utils.jar:${home}/lib/${distribution}`;
  const { stdout } = await promisify(execFile)(
    'java',
    ['-cp', classPath, BASH_UTILS, 'GET_TM_RESOURCE_PARAMS', '--configDir', configuration],
    { timeout: 60_000 },
  );
  const results = Array.from(stdout.matchAll(/^BASH_JAVA_UTILS_EXEC_RESULT:(.*)$/gm), ([, line = '']) => line.trim());
  const [memory = [], dynamic = []] = results.map((line) => line.split(/\s+/));
  return [memory, dynamic];
}
