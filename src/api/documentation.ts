/** The API, readable: `/openapi.json` for programs, `/docs` for people. Swagger UI is served from here, not from a CDN. */
import { createRequire } from 'node:module';
import { Router } from 'express';
import { createOpenApiDocument } from './openapi.ts';
import { recordOf } from './request-recorder.ts';

const SWAGGER_FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>pipeline-service API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <link rel="icon" href="/docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="api"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#api', deepLinking: true });\n`;

/** Swagger UI sets styles on elements and has its icons as data. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'";

export function documentationRouter(): Router {
  const require = createRequire(import.meta.url);
  const openApi = JSON.stringify(createOpenApiDocument(), null, 2);
  const router = Router({ caseSensitive: true });

  router.get('/openapi.json', (_request, response) => {
    recordOf(response).route = '/openapi.json';
    response.type('application/json').send(openApi);
  });
  router.get('/docs', (_request, response) => {
    recordOf(response).route = '/docs';
    response.set('Content-Security-Policy', PAGE_POLICY).type('html').send(PAGE);
  });
  router.get('/docs/start.js', (_request, response) => {
    recordOf(response).route = '/docs';
    response.type('application/javascript').send(START);
  });
  for (const file of SWAGGER_FILES) {
    router.get(`/docs/${file}`, (_request, response) => {
      recordOf(response).route = '/docs';
      // A dot folder above node_modules (a cache, a worktree) is no reason to hide the file.
      response.sendFile(require.resolve(`swagger-ui-dist/${file}`), {
        dotfiles: 'allow',
        etag: false,
        cacheControl: false,
        lastModified: false,
      });
    });
  }
  return router;
}
