/**
 * A program: `sdk-download.ts FOLDER VERSION` lets the Temporal SDK download its dev server into the folder. The SDK
 * downloads only what it then starts, so the server is started, in memory, and stopped.
 */
import { Runtime } from '@temporalio/worker';

const [downloadDir = '', version = ''] = process.argv.slice(2);

try {
  await download();
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function download(): Promise<void> {
  const runtime = Runtime.instance();
  const server = await runtime.createEphemeralServer({
    type: 'dev-server',
    exe: {
      type: 'cached-download',
      downloadDir,
      version: `v${version}`,
      ttl: 0,
      sdkName: 'sdk-typescript',
      sdkVersion: '1.24.0',
    },
    namespace: 'default',
    ip: '127.0.0.1',
    port: null,
    uiPort: null,
    dbFilename: null,
    ui: false,
    log: { format: 'pretty', level: 'never' },
    extraArgs: [],
  });
  await runtime.shutdownEphemeralServer(server);
}
