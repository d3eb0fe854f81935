/** Everything the store does, on both databases; each is made once, which takes longer than all of the tests. */
import { gatesSuite } from './gates.suite.ts';
import { idempotencySuite } from './idempotency.suite.ts';
import { onEachDatabase } from './on-each-database.ts';
import { pipelinesSuite } from './pipelines.suite.ts';
import { runsSuite } from './runs.suite.ts';
import { stepsSuite } from './steps.suite.ts';
import { transactionsSuite } from './transactions.suite.ts';

onEachDatabase((subject) => {
  pipelinesSuite(subject);
  runsSuite(subject);
  gatesSuite(subject);
  stepsSuite(subject);
  idempotencySuite(subject);
  transactionsSuite(subject);
});
