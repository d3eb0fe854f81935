/** The pipeline of the demo, as its file says it. */
import { readDocument } from '../../src/cli/commands/pipeline-commands.ts';
import { pipelineDocument } from '../../src/schemas/definition.ts';
import { parseDocument } from '../../src/schemas/parse-document.ts';

const FILE = 'examples/flights.yaml';

/** Its text, and the Iceberg table that it fills. */
export async function readExample() {
  const document = await readDocument(FILE);
  const parsed = parseDocument(document.text, 'yaml');
  if ('faults' in parsed) throw new Error(`${FILE}: ${parsed.faults.map(({ message }) => message).join('; ')}`);
  const { definition } = pipelineDocument.parse(parsed.value);
  const sink = Object.values(definition.sinks).find(({ type }) => type === 'iceberg');
  if (sink?.type !== 'iceberg') throw new Error(`${FILE}: expected an iceberg sink`);
  return { file: FILE, document, table: sink.table };
}
