/** A program: locks the folder that it is given, says so, and holds it until it is killed. */
import { lockDataDir } from '../../../../src/temporal/data-dir-lock.ts';

await lockDataDir(process.argv[2] ?? '');
process.stdout.write('locked\n');
setInterval(() => undefined, 60_000);
