/**
 * The Python environment that judges what this service writes: pyiceberg and Spark with Iceberg's runtime, as pinned
 * in test/engines/requirements.txt and test/engines/pom.xml. Made once a machine, outside the work tree, in
 * `$XDG_CACHE_HOME/pipeline-service/python-<hash of what is pinned>`; needs Python 3.11 or later, Java 17 and Maven.
 *
 * It is built in a folder of its own and then renamed, so that a killed or a racing installation never shows a half
 * environment under the name; what is found there is looked at again before it is used.
 */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const ENGINES_FOLDER = path.join(import.meta.dirname, '../engines');
const REQUIREMENTS = path.join(ENGINES_FOLDER, 'requirements.txt');
const JAR_LIST = path.join(ENGINES_FOLDER, 'pom.xml');
/** What a whole environment can import. */
const IMPORTS = 'import pandas, pyarrow.parquet, pyiceberg.catalog.sql, pyiceberg_core, pyspark.sql';
const STEP_WITHIN_MS = 20 * 60_000;
const STILL_WORKING_EVERY_MS = 15_000;
const ABANDONED_AFTER_MS = 24 * 3_600_000;

export interface PythonEnvironment {
  /** The interpreter that has everything installed. */
  python: string;
  /** Absolute paths of Iceberg's Spark runtime and of the SQLite driver. */
  jars: string[];
}

/** Finds the environment or makes it (about two minutes, of which `say` tells), and rebuilds one that is broken. */
export async function preparePythonEnvironment(say: (line: string) => void): Promise<PythonEnvironment> {
  const version = await pythonVersion();
  await checkJava();
  const hash = createHash('sha256').update(version);
  for (const file of [REQUIREMENTS, JAR_LIST]) hash.update(await readFile(file));
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'pipeline-service');
  const folder = path.join(cache, `python-${hash.digest('hex').slice(0, 16)}`);
  const found = await wholeEnvironment(folder);
  if (found !== undefined) return found;

  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  const building = `${folder}.building-${randomUUID()}`;
  try {
    await build(building, say);
    return await place(building, folder);
  } finally {
    await rm(building, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}

async function pythonVersion(): Promise<string> {
  const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
  const version = await promisify(execFile)('python3', ['-c', script]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  );
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major !== 3 || minor < 11) {
    throw new Error(`The engine tests need python3 3.11 or later on the PATH; found ${version || 'none'}.`);
  }
  return version;
}

async function checkJava(): Promise<void> {
  // Java tells its version on the standard error: 17.0.15, or 1.8.0 in old times.
  const told = await promisify(execFile)('java', ['-version']).then(
    ({ stderr }) => /version "(\d+)/.exec(stderr)?.[1],
    () => undefined,
  );
  if (Number(told ?? 0) < 17)
    throw new Error(`The engine tests need Java 17 or later on the PATH; found ${told ?? 'none'}.`);
}

async function build(folder: string, say: (line: string) => void): Promise<void> {
  await mkdir(folder);
  const python = path.join(folder, 'venv/bin/python');
  say('The engine tests need pyiceberg and Spark: installing them, once on this machine (about two minutes).');
  await step('python3', ['-m', 'venv', path.join(folder, 'venv')], say);
  await step(
    python,
    ['-m', 'pip', 'install', '--no-input', '--progress-bar', 'off', '--requirement', REQUIREMENTS],
    say,
  );
  const jarFolder = path.join(folder, 'jars');
  const copy = ['dependency:copy-dependencies', '-DexcludeTransitive=true', `-DoutputDirectory=${jarFolder}`];
  await step('mvn', ['--batch-mode', '--file', JAR_LIST, ...copy], say);
  const jars = await Promise.all(
    (await readdir(jarFolder)).map(async (name) => ({ name, bytes: (await stat(path.join(jarFolder, name))).size })),
  );
  await writeFile(path.join(folder, 'jars.json'), JSON.stringify(jars));
}

/** Runs one program of the installation; its last lines are the error's message when it fails. */
function step(program: string, args: string[], say: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: STEP_WITHIN_MS });
    let said = '';
    const listen = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const started = performance.now();
    const stillWorking = setInterval(() => {
      const seconds = Math.round((performance.now() - started) / 1000);
      say(
        `  ${path.basename(program)}, ${seconds} s: ${said.trimEnd().split('\n').at(-1)?.trim().slice(0, 100) ?? ''}`,
      );
    }, STILL_WORKING_EVERY_MS);
    child.once('error', (error) => {
      clearInterval(stillWorking);
      reject(new Error(`The engine tests need the program ${program}: ${error.message}`));
    });
    child.once('close', (code) => {
      clearInterval(stillWorking);
      if (code === 0) resolve();
      else reject(new Error(`${program} ${args.slice(0, 3).join(' ')} failed (${code ?? 'ended'}):\n${said}`));
    });
  });
}

/** Gives what was built its name. Another process may have been quicker: then its environment is used, if it is whole. */
async function place(building: string, folder: string): Promise<PythonEnvironment> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    try {
      await rename(building, folder);
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && /^(ENOTEMPTY|EEXIST)$/.test(String(thrown.code))))
        throw thrown;
    }
    const environment = await wholeEnvironment(folder);
    if (environment !== undefined) return environment;
    const broken = `${folder}.broken-${randomUUID()}`;
    await rename(folder, broken).catch(() => undefined);
    await rm(broken, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
  throw new Error(`The Python environment ${folder} cannot be used although it was just built.`);
}

async function wholeEnvironment(folder: string): Promise<PythonEnvironment | undefined> {
  try {
    const listed = JSON.parse(await readFile(path.join(folder, 'jars.json'), 'utf8')) as {
      name: string;
      bytes: number;
    }[];
    for (const { name, bytes } of listed) {
      if ((await stat(path.join(folder, 'jars', name))).size !== bytes) return undefined;
    }
    const python = path.join(folder, 'venv/bin/python');
    await promisify(execFile)(python, ['-c', IMPORTS]);
    return { python, jars: listed.map(({ name }) => path.join(folder, 'jars', name)) };
  } catch {
    return undefined;
  }
}

/** Removes what killed installations left behind long ago. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!/^python-[0-9a-f]{16}\.(building|broken)-/.test(name)) continue;
    const folder = path.join(cache, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > ABANDONED_AFTER_MS)
      await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}
