#!/usr/bin/env node
/** `pipelines`: the service from a terminal. */
import { CommanderError } from 'commander';
import { ApiClient, ApiError } from './cli/api-client.ts';
import { EXIT } from './cli/exit-codes.ts';
import { createProgram } from './cli/program.ts';
import { loadClientConfig } from './config.ts';
import { messageOf } from './errors.ts';

let drawnLines = 0;

const program = createProgram({
  api: new ApiClient(loadClientConfig()),
  terminal: {
    print: (text) => {
      console.log(text);
    },
    redraw: (text) => {
      if (process.stdout.isTTY && drawnLines > 0) process.stdout.write(`\u001b[${drawnLines}A\u001b[0J`);
      console.log(text);
      drawnLines = text.split('\n').length;
    },
  },
  setExitCode: (code) => {
    process.exitCode = code;
  },
}).exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  else {
    console.error(messageOf(error));
    if (error instanceof ApiError) for (const { path, message } of error.faults) console.error(`  ${path}: ${message}`);
    process.exitCode = error instanceof ApiError && error.status === 400 ? EXIT.usage : EXIT.failed;
  }
}
