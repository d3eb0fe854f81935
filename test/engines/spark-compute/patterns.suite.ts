/** Patterns of `regex` checks, as DuckDB's RE2 and as Spark's Java find them. */
import { DuckDBInstance } from '@duckdb/node-api';
import { describe, expect, test } from 'vitest';
import { javaPattern } from '../../../src/engines/spark/compute/java-pattern.ts';
import { judgeOf, type Subject } from './subject.ts';

const PATTERNS = [
  String.raw`^a.b$ a$ (?m)^b$ (?s)a.b (?i)ä (?i)s (?i:K)k (?-i)A (?P<first_name>a)b a{,2} [{}]$ \bä a\b \Bb ^\s+$ \v`,
  String.raw`[^\S\n] [\S] [[:alpha:]] [[:^alpha:]] [[:punct:]] [[:space:]] []a] [^]a] [a&&b] [a[b] [\w-.] [\s-x]`,
  String.raw`\pN \p{Greek} \P{^Lu} \x{e4} \101 \Q[a.\E`,
].flatMap((line) => line.split(' '));
const TEXTS = '|a|ab|a\nb|a\n|a\rb|a\u2028b|Ä|ä b|ſ|KK|A|[a.|{|&|-|.|Ω|1|\v| '.split('|');

export function patternsSuite(subject: () => Subject): void {
  describe('a pattern of a check', () => {
    test('when it is said in the words of Java, is found by Spark where DuckDB finds it', async () => {
      const pairs = PATTERNS.flatMap((pattern) => TEXTS.map((text) => ({ pattern, text })));
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      const found = [];
      for (const { pattern, text } of pairs) {
        const reader = await connection.runAndReadAll('select regexp_matches($text, $pattern)', { pattern, text });
        found.push({ pattern, text, found: reader.getRows()[0]?.[0] });
      }
      connection.closeSync();
      const inBase64 = (text: string) => `'${Buffer.from(text).toString('base64')}'`;
      const rows = pairs.map(
        ({ pattern, text }, at) => `(${at}, ${inBase64(text)}, ${inBase64(javaPattern(pattern))})`,
      );
      const decoded = (column: string) => `decode(unbase64(${column}), 'UTF-8')`;
      const sql = `select string(${decoded('t')} rlike ${decoded('p')}) from values ${rows.join(', ')} as v(n, t, p) order by n`;
      const bySpark = await judgeOf(subject()).sql(sql);
      expect(pairs.map((pair, at) => ({ ...pair, found: bySpark[at]?.[0] === 'true' }))).toEqual(found);
    });
  });
}
