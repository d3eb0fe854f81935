/** Writes `docs/openapi.json` from the declared routes: `npm run openapi`. A test fails when the file is not up to date. */
import { mkdir, writeFile } from 'node:fs/promises';
import { createOpenApiDocument } from '../src/api/openapi.ts';

const docs = new URL('../docs/', import.meta.url);
await mkdir(docs, { recursive: true });
await writeFile(new URL('openapi.json', docs), `${JSON.stringify(createOpenApiDocument(), null, 2)}\n`);
