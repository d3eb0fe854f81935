#!/usr/bin/env node
/** `pipelines`: the service from a terminal. */
import { CommanderError } from 'commander';
import { ApiClient } from './cli/api-client.ts';
import { EXIT, exitCodeOfError } from './cli/exit-codes.ts';
import { createProgram } from './cli/program.ts';
import { renderError } from './cli/render-error.ts';
import { UsageError } from './cli/usage-error.ts';
import { loadClientConfig } from './config.ts';

// Whoever reads the output may have read enough: `pipelines runs | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const program = createProgram({
  api: new ApiClient(loadClientConfig()),
  screen: process.stdout,
  setExitCode: (code) => {
    process.exitCode = code;
  },
});

try {
  await program.parseAsync();
} catch (error) {
  // Commander has told what it has to say.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  else {
    console.error(renderError(error));
    process.exitCode = error instanceof UsageError ? EXIT.usage : exitCodeOfError(error);
  }
}
