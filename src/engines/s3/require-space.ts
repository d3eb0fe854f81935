import { statfs } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';

/** Of what is free on the disk, how much copies may take. */
const DISK_SHARE = 0.9;

/**
 * Looks before anything is copied: a full disk would stop everybody's work.
 *
 * @throws EngineError `UnavailableError` when the objects do not fit on the disk of the folder
 */
export async function requireSpace(objects: readonly { sizeBytes: number }[], folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const wanted = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (wanted <= bavail * bsize * DISK_SHARE) return;
  throw new EngineError(
    'UnavailableError',
    `copies of ${wanted} bytes do not fit on the disk, where ${bavail * bsize} are free`,
  );
}
