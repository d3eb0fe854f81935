import { CST, isAlias, isMap, isScalar, isSeq, Lexer, parseDocument, type Document } from 'yaml';
import { MAX_DEPTH } from './check-limits.ts';
import type { Fault } from './fault.ts';
import { whereIs } from './parse-json.ts';

const MAX_ALIASES = 100;
/** Far more than a document of 500 steps has; the parser's worst cases take time by the number of tokens. */
const MAX_TOKENS = 400_000;
const MAX_DIRECTIVES = 10;
const MAX_FAULTS = 20;

/**
 * A YAML 1.2 text by the core schema: one document, no tags of its own, no duplicate keys, 100 aliases at most.
 * The faults name line and column. Keys are always strings. Never throws.
 */
export function parseYaml(text: string): { value: unknown } | { faults: Fault[] } {
  const oversize = faultOfTokens(text);
  if (oversize !== undefined) return { faults: [{ path: '', message: oversize }] };
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    // The parser's own check takes time by the square of the keys, its own messages by the square of the faults.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  const faults = [...syntaxFaults(document, text), ...faultsOfNodes(document, text)];
  if (faults.length > 0) return { faults };
  try {
    // Aliases of one anchor are one object, so nothing grows here; what they stand for is weighed by checkLimits.
    return { value: document.toJS({ maxAliasCount: -1 }) };
  } catch (error) {
    return { faults: [{ path: '', message: `expected aliases of anchors before them: ${(error as Error).message}` }] };
  }
}

/** Looks at the tokens alone, in one pass, to refuse what would keep the parser busy for long. */
function faultOfTokens(text: string): string | undefined {
  let tokens = 0;
  let aliases = 0;
  let directives = 0;
  let depth = 0;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    if (type === 'alias') aliases += 1;
    else if (type === 'directive-line') directives += 1;
    else if (type === 'flow-map-start' || type === 'flow-seq-start') depth += 1;
    else if (type === 'flow-map-end' || type === 'flow-seq-end') depth -= 1;
    tokens += 1;
    if (depth > MAX_DEPTH) return `expected at most ${MAX_DEPTH} levels, one within another`;
    if (aliases > MAX_ALIASES) return `expected at most ${MAX_ALIASES} aliases (*name)`;
    if (directives > MAX_DIRECTIVES) return `expected at most ${MAX_DIRECTIVES} directives (%…)`;
    if (tokens > MAX_TOKENS) return `expected at most ${MAX_TOKENS} pieces of YAML; send a document this large as JSON`;
  }
  return undefined;
}

function syntaxFaults(document: Document, text: string): Fault[] {
  const faults = [...document.errors, ...document.warnings]
    .slice(0, MAX_FAULTS)
    .map(({ pos, message }) => ({ path: '', message: `${whereIs(text, pos[0])}: ${firstLine(message)}` }));
  const { explicit, version } = document.directives?.yaml ?? {};
  if (explicit === true && version !== '1.2') {
    faults.push({ path: '', message: `expected YAML 1.2, got %YAML ${String(version)}` });
  }
  return faults;
}

function firstLine(message: string): string {
  if (message.startsWith('Source contains multiple documents')) return 'expected one document, got several';
  return message.split('\n', 1)[0] ?? '';
}

function faultsOfNodes(document: Document, text: string): Fault[] {
  const faults: Fault[] = [];
  const visit = (node: unknown, path: readonly string[]): void => {
    if (faults.length >= MAX_FAULTS) return;
    const fault = (message: string, at: readonly string[], position: number | undefined) =>
      faults.push({ path: at.join('.'), message: `${whereIs(text, position ?? 0)}: ${message}` });
    if (path.length > MAX_DEPTH) {
      fault(`expected at most ${MAX_DEPTH} levels, one within another`, path, startOf(node));
    } else if (isSeq(node)) {
      node.items.forEach((item, index) => {
        visit(item, [...path, String(index)]);
      });
    } else if (isMap(node)) {
      const keys = new Set<string>();
      for (const { key, value } of node.items) {
        if (isAlias(key)) fault('expected a key as text, not an alias', path, startOf(key));
        const name = isScalar(key) ? String(key.value) : '';
        if (keys.has(name)) fault('the key stands here twice; expected it once', [...path, name], startOf(key));
        // The parser's own conversion to values would set a prototype.
        if (name === '__proto__') fault('this key is not allowed anywhere', [...path, name], startOf(key));
        keys.add(name);
        visit(value, [...path, name]);
      }
    }
  };
  // After a fault of syntax the nodes are a guess.
  if (document.errors.length === 0) visit(document.contents, []);
  return faults;
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}
