/** Schema migrations: tables in several systems, changed together or not at all. */
import {
  migrationAnswer,
  migrationBody,
  migrationPage,
  migrationPreview,
  migrationQuery,
  startedMigration,
} from '../../schemas/api-migrations.ts';
import { pageQuery } from '../../schemas/api-requests.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

const tag = 'Migrations';

export const migrationRoutes = [
  route({
    method: 'post',
    path: '/v1/migrations',
    operationId: 'startMigration',
    tag,
    summary: 'Change tables in several systems together; with dryRun=true only say what that would do',
    role: 'operator',
    query: migrationQuery,
    // The registry of migrations validates, so that all faults of a document are told at once.
    body: { schema: migrationBody, unchecked: true },
    answers: {
      200: {
        description: 'Of a dry run: whether it can be done, columns before and after, impact.',
        schema: migrationPreview,
      },
      202: { description: 'Started.', schema: startedMigration },
    },
    errors: [409],
    handle: async ({ actor, query, body, reservedId }, { migrations }) =>
      query.dryRun
        ? { status: 200, body: await migrations.preview(actor, body, reservedId) }
        : { status: 202, body: await migrations.start(actor, body, reservedId) },
  }),
  route({
    method: 'get',
    path: '/v1/migrations',
    operationId: 'listMigrations',
    tag,
    summary: 'Migrations, newest first',
    role: 'viewer',
    query: pageQuery,
    answers: { 200: { description: 'A page of migrations.', schema: migrationPage } },
    handle: async ({ actor, query }, { migrations }) => ({
      status: 200,
      body: pageAnswer(await migrations.list(actor, query), query),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/migrations/{id}',
    operationId: 'getMigration',
    tag,
    summary: 'How far a migration is: its steps, its impact, its result',
    role: 'viewer',
    answers: { 200: { description: 'The migration.', schema: migrationAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { migrations }) => ({ status: 200, body: await migrations.get(actor, path.id) }),
  }),
  route({
    method: 'post',
    path: '/v1/migrations/{id}/retry',
    operationId: 'retryMigration',
    tag,
    summary: 'Put back what could not be put back; or, when nothing is left of it, try all of it again',
    role: 'operator',
    answers: { 202: { description: 'Recorded; it will be tried.', schema: startedMigration } },
    errors: [404, 409],
    handle: async ({ actor, path, reservedId }, { migrations }) => ({
      status: 202,
      body: await migrations.retry(actor, path.id, reservedId),
    }),
  }),
];
