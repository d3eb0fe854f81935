/** Definitions: `validate`, `apply`, `list`. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { isMapping } from '../../schemas/json.ts';
import { parseDocument } from '../../schemas/parse-document.ts';
import { ApiError, type DocumentText } from '../api-client.ts';
import type { CommandContext } from '../command-context.ts';
import { upTo } from '../every-page.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../printable.ts';
import { renderPipelines } from '../render.ts';
import { UsageError } from '../usage-error.ts';

interface FileOption {
  file?: string;
}

export function addPipelineCommands(program: Command, context: CommandContext): void {
  const { api } = context;

  withFile(program.command('validate'))
    .description('check a definition against the service; stores nothing, exits 1 when it is not valid')
    .action(async (argument: string | undefined, options: FileOption) => {
      const file = fileOf(argument, options);
      const answer = await api.validate(await readDocument(file));
      const faults = answer.errors.map(({ path, message }) => printable(path === '' ? message : `${path}: ${message}`));
      context.show(answer, () => (answer.valid ? `${file} is valid` : faults.join('\n')));
      if (!answer.valid) context.setExitCode(EXIT.failed);
    });

  withFile(program.command('apply'))
    .description('register a pipeline, or a new revision of it')
    .action(async (argument: string | undefined, options: FileOption) => {
      const written = await applyDocument(context, await readDocument(fileOf(argument, options)));
      const { name, version, revision, pipelineId } = written;
      context.show(written, () => `${name} ${printable(version)}: revision ${revision} (${pipelineId})`);
    });

  program
    .command('list')
    .description('registered pipelines')
    .action(async () => {
      const all = await upTo(Infinity, (page) => api.pipelines(page));
      context.show(all, () => renderPipelines(all));
    });
}

/** Registers the document; a name that is there already gets a new revision. */
export async function applyDocument({ api }: Pick<CommandContext, 'api'>, document: DocumentText) {
  try {
    return await api.create(document);
  } catch (error) {
    const name = nameIn(document);
    if (!(error instanceof ApiError) || error.status !== 409 || name === undefined) throw error;
    return api.update(name, document);
  }
}

function nameIn({ text, type }: DocumentText): string | undefined {
  const parsed = parseDocument(text, type === 'application/json' ? 'json' : 'yaml');
  const name = 'value' in parsed && isMapping(parsed.value) ? parsed.value['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

function withFile(command: Command): Command {
  return command.argument('[file]', 'YAML or JSON file').option('-f, --file <file>', 'the same');
}

function fileOf(argument: string | undefined, { file }: FileOption): string {
  const name = argument ?? file;
  if (name === undefined) throw new UsageError('expected a file: -f FILE');
  return name;
}

/** @throws UsageError when the file cannot be read */
export async function readDocument(file: string): Promise<DocumentText> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  });
  return { type: file.endsWith('.json') ? 'application/json' : 'application/yaml', text };
}
