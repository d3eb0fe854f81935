/** A program: owns a dev server on the folder that it is given, tells its address, and lives until it is killed. */
import { createLogger } from '../../../../src/logger.ts';
import { startDevServer } from '../../../../src/temporal/dev-server.ts';

const [binary = '', dataDir = ''] = process.argv.slice(2);
const server = await startDevServer({ binary, dataDir, namespaces: ['default'], logger: createLogger('silent') });
process.stdout.write(`${server.address}\n`);
