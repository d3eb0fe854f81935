import { expect, test } from 'vitest';
import { createLogger } from '../../../src/logger.ts';

function linesOf(level: 'info' | 'warn', write: (logger: ReturnType<typeof createLogger>) => void): unknown[] {
  const lines: unknown[] = [];
  write(createLogger(level, { write: (line: string) => lines.push(JSON.parse(line)) }));
  return lines;
}

test('a log line, when written, is JSON with level, time, context and message', () => {
  const [line] = linesOf('info', (logger) => {
    logger.info({ executionId: 'e1' }, 'Run started');
  });

  expect(line).toMatchObject({ level: 'info', executionId: 'e1', msg: 'Run started' });
  expect(new Date((line as { time: string }).time).getTime()).toBeGreaterThan(0);
});

test('a log line, when below the level, is not written', () => {
  const lines = linesOf('warn', (logger) => {
    logger.info('quiet');
    logger.warn('loud');
  });

  expect(lines).toHaveLength(1);
});

test('a log line, when its context holds secrets up to three levels deep, has none of them', () => {
  const [line] = linesOf('info', (logger) => {
    logger.info({ password: 'hunter2', a: { apiKey: 'hunter2', b: { token: 'hunter2', kept: 1 } } }, 'Connected');
  });

  expect(JSON.stringify(line)).not.toContain('hunter2');
  expect(line).toMatchObject({ a: { b: { kept: 1 } } });
});

test('a log line, when it tells an error, has its message and stack', () => {
  const [line] = linesOf('info', (logger) => {
    logger.error({ error: new Error('disk full') }, 'Step failed');
  });

  expect(line).toMatchObject({ error: { type: 'Error', message: 'disk full' } });
});
