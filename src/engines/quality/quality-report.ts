import type { QualityCheck } from '../../schemas/definition.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** What one check found. Plain JSON: it is stored as it is and shown by the API, in notifications and at the gate. */
export interface CheckResult {
  /** Place in `definition.quality_checks.checks`, from 0. */
  index: number;
  type: QualityCheck['type'];
  /** Absent for a `custom_sql` check that names none. */
  source?: string;
  columns?: string[];
  severity: QualityCheck['severity'];
  weight: number;
  outcome: 'PASSED' | 'FAILED';
  /** What the data is like, in the terms of the check: `{min, max}` of a range, `{rows}` of a row count. */
  observed: JsonValue;
  /** What the check asked for, in the same terms. */
  expected: JsonValue;
  /** 0 for the checks that judge a table as a whole: row_count, freshness, schema. */
  failingRows: number;
  /** Up to five whole rows that failed. */
  examples: Record<string, JsonValue>[];
  message: string;
}

/** Answer of all checks of a run (spec section 3). */
export interface QualityReport {
  /** Weight of the passed checks over all weight, 0 to 1; 1 when there are no checks. */
  score: number;
  minScore: number;
  passed: boolean;
  /** The gate opens: the score is below `minScore`, or a CRITICAL check failed. */
  needsApproval: boolean;
  /** ISO 8601. */
  evaluatedAt: string;
  checks: CheckResult[];
}

/** Weights such as 0.1 do not add up exactly in floating point; a score this close to the bar has reached it. */
const SCORE_TOLERANCE = 1e-9;

export function composeReport(checks: CheckResult[], minScore: number, evaluatedAt: Date): QualityReport {
  const total = weightOf(checks);
  const score = total === 0 ? 1 : weightOf(checks.filter((check) => check.outcome === 'PASSED')) / total;
  const criticalFailed = checks.some((check) => check.outcome === 'FAILED' && check.severity === 'CRITICAL');
  const needsApproval = criticalFailed || score < minScore - SCORE_TOLERANCE;
  return { score, minScore, passed: !needsApproval, needsApproval, evaluatedAt: evaluatedAt.toISOString(), checks };
}

function weightOf(checks: readonly CheckResult[]): number {
  return checks.reduce((sum, check) => sum + check.weight, 0);
}
