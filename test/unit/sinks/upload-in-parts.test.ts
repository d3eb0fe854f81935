/** An upload in parts by the SDK's own client, with answers of this test in place of S3's. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { uploadObject } from '../../../src/engines/s3/upload-object.ts';

const MIB = 1024 * 1024;

let folder: string;
const unheard: unknown[] = [];
const listen = (reason: unknown): void => void unheard.push(reason);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-upload-'));
  process.on('unhandledRejection', listen);
});
afterEach(async () => {
  process.off('unhandledRejection', listen);
  await rm(folder, { recursive: true });
});

interface Request {
  method: string;
  query?: Record<string, unknown>;
}

function clientOf(answer: (request: Request) => Promise<{ status: number; body: string }>): S3Client {
  return new S3Client({
    region: 'us-east-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: Request) => {
        const { status, body } = await answer(request);
        return { response: { statusCode: status, headers: {}, body: Readable.from([body]) } };
      },
    } as never,
  });
}

const fault = (code: string): string => `<Error><Code>${code}</Code><Message>no</Message></Error>`;

test('an upload, when its parts fail one after the other, tells the first failure, waits for all, and leaves none unheard', async () => {
  const from = join(folder, 'large');
  await writeFile(from, '');
  await truncate(from, 40 * MIB);
  const failed: unknown[] = [];
  let abandoned = 0;
  const client = clientOf(async ({ method, query = {} }) => {
    const { partNumber } = query;
    if (method === 'POST') {
      return {
        status: 200,
        body: '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
      };
    }
    if (method === 'DELETE') {
      abandoned += 1;
      return { status: 404, body: fault('NoSuchUpload') };
    }
    if (partNumber === undefined) return { status: 200, body: '<ListMultipartUploadsResult/>' };
    await sleep(Number(partNumber) === 2 ? 10 : 150);
    failed.push(partNumber);
    return { status: 403, body: fault(Number(partNumber) === 2 ? 'InvalidAccessKeyId' : 'AccessDenied') };
  });
  const upload = { from, to: { bucket: 'lake', key: 'large' }, head: () => Promise.resolve(undefined) };
  await expect(uploadObject(client, upload, undefined)).rejects.toMatchObject({ name: 'InvalidAccessKeyId' });
  expect(failed.map(Number).sort()).toEqual([1, 2, 3]);
  expect(abandoned).toBe(1);
  await sleep(10);
  expect(unheard).toEqual([]);
});
