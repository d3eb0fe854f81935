/** What a process answers while it starts: alive, and not ready yet. */
import { randomUUID } from 'node:crypto';
import type { RequestListener, ServerResponse } from 'node:http';
import { errorAnswer } from '../api/error-answer.ts';
import { ServiceError } from '../errors.ts';

/** Starting takes seconds, unless a Temporal server is built first. */
const RETRY_AFTER_S = 1;

export const startingAnswer: RequestListener = (request, response) => {
  const path = request.url?.split('?', 1)[0];
  if (path === '/health') {
    answer(response, 200, { status: 'ok' });
  } else if (path === '/health/ready') {
    answer(response, 503, { status: 'not ready', dependencies: { service: { ok: false, error: 'starting' } } });
  } else {
    answer(
      response,
      503,
      errorAnswer(new ServiceError('SERVICE_UNAVAILABLE', 'The service is starting'), randomUUID()),
    );
  }
};

/** Each on a connection of its own: the next request is most likely for the service itself. */
function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    connection: 'close',
    ...(status === 503 && { 'retry-after': String(RETRY_AFTER_S) }),
  });
  response.end(JSON.stringify(body));
}
