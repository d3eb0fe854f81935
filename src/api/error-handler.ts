/** The one place where errors become answers. */
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { ServiceError } from '../errors.ts';
import { errorAnswer } from './error-answer.ts';
import { requestIdOf } from './request-id.ts';

export const notFoundHandler: RequestHandler = () => {
  throw new ServiceError('RESOURCE_NOT_FOUND', 'There is nothing under this method and path');
};

/** Whatever is no ServiceError is a defect: it is logged, once, and its message stays here. */
export function createErrorHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, _request, response, next) => {
    const requestId = requestIdOf(response);
    const error = serviceErrorOf(thrown);
    if (error.code === 'INTERNAL_ERROR') logger.error({ requestId, error: thrown }, 'Request failed');
    if (response.headersSent) {
      next(thrown);
      return;
    }
    if (error.httpStatus === 401) response.setHeader('WWW-Authenticate', 'Bearer');
    // The rest of such a body is not wanted on this connection.
    if (error.code === 'PAYLOAD_TOO_LARGE') response.setHeader('Connection', 'close');
    response.status(error.httpStatus).json(errorAnswer(error, requestId));
  };
}

function serviceErrorOf(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  // Express throws this for a path whose percent-encoding is none.
  if (thrown instanceof URIError) return new ServiceError('VALIDATION_FAILED', 'The path is not well-formed');
  return new ServiceError('INTERNAL_ERROR', 'Something went wrong here; the request id finds it in the log');
}
