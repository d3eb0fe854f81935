/** A quality report as the person reads it who has to say yes or no. */
import { styleText } from 'node:util';
import type { QualityReportAnswer } from '../schemas/api-run-answers.ts';
import { printable } from './printable.ts';
import { table } from './render.ts';

type Check = QualityReportAnswer['checks'][number];

const EXAMPLES = 3;
const LONGEST_CELL = 60;

/** The score, a line a check, and rows that failed. */
export function renderQuality(report: QualityReportAnswer): string {
  const { score, minScore, checks } = report;
  const needed = minScore === undefined ? '' : `, ${minScore} needed`;
  const parts = [
    `Quality score ${score.toFixed(3)}${needed}`,
    table(
      ['CHECK', 'SEVERITY', 'TYPE', 'OF', 'FAILING ROWS', 'OBSERVED'],
      checks.map((check) => [
        hasPassed(check) ? styleText('green', 'passed') : styleText('red', 'FAILED'),
        check.severity,
        check.type,
        printable(subjectOf(check)),
        String(check.failingRows ?? ''),
        cell(check.observed),
      ]),
    ),
    ...checks.filter((check) => !hasPassed(check)).map(renderExamples),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function hasPassed({ outcome }: Check): boolean {
  return outcome === 'PASSED';
}

/** `flights.delay`, `flights (date, origin)` or `flights`. */
function subjectOf({ source = '', columns = [] }: Check): string {
  if (columns.length === 0) return source;
  return columns.length === 1 ? `${source}.${columns.join()}` : `${source} (${columns.join(', ')})`;
}

function renderExamples(check: Check): string {
  const examples = (check.examples ?? []).slice(0, EXAMPLES);
  const message = check.message === undefined ? '' : `: ${printable(check.message)}`;
  const title = `\n${styleText('red', check.type)} of ${printable(subjectOf(check))}${message}`;
  if (examples.length === 0) return title;
  const columns = Object.keys(examples[0] ?? {});
  const rows = examples.map((row) => columns.map((column) => cell(row[column])));
  return `${title}\n${table(columns.map(printable), rows)}`;
}

function cell(value: unknown): string {
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value ?? null)).replaceAll('\n', ' ');
  return text.length > LONGEST_CELL ? `${text.slice(0, LONGEST_CELL - 1)}…` : text;
}
