/**
 * The `statement` of a Flink transformation as what the SQL gateway executes: declarations of temporary tables and views,
 * then exactly one INSERT, which is the job. Flink binds no parameters, so they become literals of their type.
 */
import { EngineError } from '../../errors.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import { flinkPieces, type FlinkPiece } from './flink-lexer.ts';

export interface FlinkValues {
  parameters: Readonly<Record<string, ParameterValue>>;
  /** URIs, by name. */
  inputs: Readonly<Record<string, string>>;
  /** URI. */
  output: string;
}

const MAX_STATEMENTS = 100;
const DECLARATION = /^CREATE\s+TEMPORARY\s+(?:TABLE|VIEW)\b/i;
const JOB = /^INSERT\s+(?:INTO|OVERWRITE)\b/i;

/** @throws EngineError `ValidationError` for other statements, and for a `${…}` that is unknown or stands where no value can */
export function flinkStatements(sql: string, values: FlinkValues): string[] {
  const statements: { text: string; code: string; line: number }[] = [];
  let current = { text: '', code: '', line: 1 };
  const end = (): void => {
    if (current.code.trim() !== '') statements.push(current);
  };
  for (const piece of flinkPieces(sql)) {
    const line = sql.slice(0, piece.start).split('\n').length;
    if (piece.kind === 'code' && piece.text === ';') {
      end();
      current = { text: '', code: '', line };
      continue;
    }
    current.text += placed(piece, values, line);
    current.code += piece.kind === 'comment' ? ' ' : piece.text;
  }
  end();
  const fault = faultOf(statements.map(({ code }) => code.trim()));
  if (fault !== undefined) throw new EngineError('ValidationError', `statement: ${fault}`);
  return statements.map(({ text }) => text.trim());
}

function faultOf(statements: readonly string[]): string | undefined {
  if (statements.length > MAX_STATEMENTS) return `expected at most ${MAX_STATEMENTS} statements`;
  const other = statements.slice(0, -1).find((code) => !DECLARATION.test(code));
  if (other !== undefined) {
    return `expected CREATE TEMPORARY TABLE or VIEW before the one INSERT, got ${other.slice(0, 60)}`;
  }
  const last = statements.at(-1) ?? '';
  return JOB.test(last)
    ? undefined
    : `expected one INSERT at the end, got ${last === '' ? 'nothing' : last.slice(0, 60)}`;
}

function placed({ kind, text }: FlinkPiece, values: FlinkValues, line: number): string {
  if (kind === 'placeholder') return literalOf(text, values, line);
  const inside = /(?<!\$)\$\{([^{}\n]*)\}/g;
  const plain =
    kind === 'code' || kind === 'escape'
      ? text
      : text.replace(inside, (whole, name: string) => {
          const uri = kind === 'literal' ? uriOf(name, values) : undefined;
          if (uri === undefined) throw fault(line, `${whole} stands inside a ${kind}, where no value can be`);
          return uri.replaceAll("'", "''");
        });
  return plain.replaceAll('$${', '${');
}

/** Also inside a literal, such as `'path' = '${output}'`, since an option of a table takes nothing else. */
function uriOf(name: string, { inputs, output }: FlinkValues): string | undefined {
  if (name === 'output') return output;
  const input = /^input:(.*)$/.exec(name)?.[1];
  return input !== undefined && Object.hasOwn(inputs, input) ? inputs[input] : undefined;
}

function literalOf(placeholder: string, values: FlinkValues, line: number): string {
  const name = /^\$\{(.*)\}$/.exec(placeholder)?.[1];
  if (name === undefined) throw fault(line, 'expected } after ${');
  const uri = uriOf(name, values);
  if (uri !== undefined) return quoted(uri);
  const parameter = Object.hasOwn(values.parameters, name) ? values.parameters[name] : undefined;
  if (parameter === undefined) throw fault(line, `${placeholder} is neither an input, the output nor a parameter`);
  return typedLiteral(parameter);
}

function typedLiteral({ type, value }: ParameterValue): string {
  const text = String(value);
  switch (type) {
    case 'string':
      return quoted(text);
    case 'int':
      return `CAST(${quoted(text)} AS BIGINT)`;
    case 'float':
      return `CAST(${quoted(text)} AS DOUBLE)`;
    case 'boolean':
      return value === true ? 'TRUE' : 'FALSE';
    case 'date':
      return `DATE ${quoted(text)}`;
    case 'timestamp':
      return `TO_TIMESTAMP_LTZ(${Date.parse(text)}, 3)`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function fault(line: number, message: string): EngineError {
  return new EngineError('ValidationError', `statement, line ${line}: ${message}`);
}
