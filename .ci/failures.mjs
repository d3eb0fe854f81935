/** Prints what failed in a JSON report of vitest: `node failures.mjs REPORT`. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

const MESSAGE_CHARACTERS = 1500;

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const { name, status: ended, message, assertionResults } of report.testResults) {
  const file = relative('.', name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  for (const { fullName, failureMessages, duration } of failed) {
    console.log(`FAILED ${file}: ${fullName} (${Math.round(duration ?? 0)} ms)`);
    console.log(failureMessages.join('\n').slice(0, MESSAGE_CHARACTERS));
  }
  // What could not be set up has no test that failed: a file, or a part of one, whose tests were not begun.
  if (failed.length > 0 || ended !== 'failed') continue;
  console.log(`FAILED ${file}\n${(message ?? '').slice(0, MESSAGE_CHARACTERS)}`);
  for (const { fullName, status } of assertionResults) {
    if (status !== 'passed') console.log(`  not begun: ${fullName}`);
  }
}
