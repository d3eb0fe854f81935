/** Errors as callers see them (spec section 4, "Errors"). */
import { ServiceError, type ErrorCode } from '../errors.ts';
import type { ErrorAnswer } from '../schemas/api-answers.ts';

const CATEGORY_BY_CODE: Record<ErrorCode, ErrorAnswer['error']['category']> = {
  VALIDATION_FAILED: 'VALIDATION',
  UNAUTHORIZED: 'AUTHENTICATION',
  TOKEN_EXPIRED: 'AUTHENTICATION',
  FORBIDDEN: 'AUTHORIZATION',
  TENANT_MISMATCH: 'AUTHORIZATION',
  RESOURCE_NOT_FOUND: 'RESOURCE',
  CONFLICT: 'CONFLICT',
  PAYLOAD_TOO_LARGE: 'VALIDATION',
  RATE_LIMITED: 'RATE_LIMIT',
  INTERNAL_ERROR: 'SYSTEM',
  SERVICE_UNAVAILABLE: 'SYSTEM',
};

export function errorAnswer(error: ServiceError, requestId: string): ErrorAnswer {
  return {
    success: false,
    error: {
      code: error.code,
      category: CATEGORY_BY_CODE[error.code],
      message: error.message,
      details: [...error.faults],
    },
    metadata: { timestamp: new Date().toISOString(), requestId },
  };
}
