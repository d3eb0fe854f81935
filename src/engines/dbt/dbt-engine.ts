/** dbt on this machine: the command, and the private folders and locks of what it runs. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import { SpillFolder } from '../duckdb/spill-folder.ts';
import type { FileRoots } from '../sources/file-roots.ts';
import { DbtOutput } from './dbt-output.ts';
import { PROFILE_NAME, writeProfile } from './dbt-profile.ts';
import { resolveProject } from './dbt-project.ts';
import { runDbtProcess } from './dbt-process.ts';
import { dbtFailure } from './dbt-failure.ts';
import { redactor } from './redaction.ts';
import { type DbtResults, readRunResults } from './run-results.ts';

/** Longer than any step works. */
const LOCKS_KEPT_MS = 60 * 24 * 3_600_000;
/** Linux takes 128 KiB for one argument of a program. */
const MAX_VARS_BYTES = 120_000;

export interface DbtOptions {
  /** A path, or a name to be found on the PATH. */
  command: string;
  /** Absolute; private folders and locks are made in it. */
  folder: string;
  /** The PATH that dbt gets; of all other variables it gets none. */
  searchPath: string;
  roots: FileRoots;
}

export interface DbtRequest {
  /** Folder of the project, as the document names it. */
  project: string;
  select?: string | undefined;
  /** `--vars`: the author's own and `pipeline`. */
  vars: Readonly<Record<string, unknown>>;
  profile: Parameters<typeof writeProfile>[0];
  /** The value of one `${secret:NAME}`. */
  secretOf: (reference: string) => Promise<string>;
  /** What the step is called wherever it runs; one dbt at a time works under it. */
  lockName: string;
}

export class DbtEngine {
  readonly #options: DbtOptions;
  readonly #private: SpillFolder;

  private constructor(options: DbtOptions, privateFolder: SpillFolder) {
    this.#options = options;
    this.#private = privateFolder;
  }

  /** Removes what killed processes left, profiles with secrets among it. */
  static async open(options: DbtOptions): Promise<DbtEngine> {
    return new DbtEngine(options, await SpillFolder.open(join(options.folder, 'work')));
  }

  /**
   * `dbt build` of what is selected.
   *
   * @throws EngineError `ValidationError` for a project, profile or selection that dbt does not take; `JobFailedError`
   *   with dbt's messages when models or tests failed; `PermissionDeniedError` and `UnavailableError` from the database
   */
  async build(request: DbtRequest, context: EngineContext): Promise<DbtResults> {
    const { command, searchPath, roots } = this.#options;
    const project = await resolveProject(request.project, roots);
    const selection = selectionOf(request.select);
    const profile = await writeProfile(request.profile, roots, request.secretOf);
    const redact = redactor(profile.secrets);
    const vars = JSON.stringify(request.vars);
    if (Buffer.byteLength(vars) > MAX_VARS_BYTES) {
      throw new EngineError('ValidationError', `vars: expected at most ${MAX_VARS_BYTES} bytes`);
    }
    const folder = await this.#newFolder();
    try {
      await writeFile(join(folder, 'profiles.yml'), profile.text, { mode: 0o600 });
      const output = new DbtOutput(context, redact);
      const targets = ['--target-path', join(folder, 'target'), '--log-path', join(folder, 'logs')];
      const code = await runDbtProcess(
        {
          command,
          args: [
            ...['--log-format', 'json', '--log-level-file', 'none', '--no-use-colors', 'build'],
            ...['--project-dir', project, '--profiles-dir', folder, '--profile', PROFILE_NAME, ...targets],
            ...['--vars', vars, ...selection],
          ],
          folder: project,
          environment: environmentOf(searchPath, folder),
          lockFile: await this.#lockFile(request.lockName),
        },
        context.signal,
        (line) => {
          output.line(line);
        },
      );
      const results = await readRunResults(join(folder, 'target', 'run_results.json'));
      if (code === 0 && results !== undefined) return results;
      throw dbtFailure(code, output.errors, results, redact);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    await this.#private.close();
  }

  /** Private to the attempt, in a folder that the next process removes when this one is killed. */
  async #newFolder(): Promise<string> {
    const folder = join(this.#private.path, randomUUID());
    await mkdir(join(folder, 'home'), { recursive: true, mode: 0o700 });
    return folder;
  }

  /** One that is in use is never removed: whoever waits for it would not meet who holds it. */
  async #lockFile(name: string): Promise<string> {
    const folder = join(this.#options.folder, 'locks');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const entry of await readdir(folder)) {
      const { mtimeMs } = await stat(join(folder, entry)).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > LOCKS_KEPT_MS) await rm(join(folder, entry), { force: true });
    }
    const file = join(folder, name);
    await (await open(file, 'a', 0o600)).close();
    await utimes(file, new Date(), new Date());
    return file;
  }
}

/** Nothing of the service's own variables: they hold its secrets. */
function environmentOf(searchPath: string, folder: string): Record<string, string> {
  return {
    PATH: searchPath,
    HOME: join(folder, 'home'),
    TMPDIR: folder,
    LANG: 'C.UTF-8',
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
    DBT_SEND_ANONYMOUS_USAGE_STATS: 'false',
    DO_NOT_TRACK: '1',
  };
}

function selectionOf(select: string | undefined): string[] {
  const names = select?.split(/\s+/).filter((name) => name !== '') ?? [];
  const option = names.find((name) => name.startsWith('-'));
  if (option !== undefined) throw new EngineError('ValidationError', `select: expected names of models, got ${option}`);
  return names.length === 0 ? [] : ['--select', ...names];
}
