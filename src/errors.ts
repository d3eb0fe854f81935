/**
 * Every error this service tells anyone, in two tables.
 *
 * `ServiceError` is what the HTTP API answers (spec section 4): a code, its status, a message for the caller.
 * `EngineError` is what an engine or an activity fails with (spec section 2): a type that says whether trying the same
 * thing again can help. Whatever is thrown that is neither is a defect: the API tells 500 without its message, an
 * activity is tried again by its row of the retry table.
 */

const STATUS_BY_CODE = {
  VALIDATION_FAILED: 400,
  UNAUTHORIZED: 401,
  TOKEN_EXPIRED: 401,
  FORBIDDEN: 403,
  TENANT_MISMATCH: 403,
  RESOURCE_NOT_FOUND: 404,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof STATUS_BY_CODE;

/** One fault of a request or a document: where it is (dotted path) and what was expected there. */
export interface Fault {
  path: string;
  message: string;
}

export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly faults: readonly Fault[];

  constructor(code: ErrorCode, message: string, faults: readonly Fault[] = []) {
    super(message);
    this.code = code;
    this.faults = faults;
  }

  get httpStatus(): number {
    return STATUS_BY_CODE[this.code];
  }
}

/** Whether the same call can succeed when it is made again. */
const RETRYABLE_BY_TYPE = {
  /** The definition, a parameter or the data is wrong. */
  ValidationError: false,
  PermissionDeniedError: false,
  /** A table's schema and the rows for it do not fit. */
  SchemaConflictError: false,
  /** Something the service met and does not support; the message says what. */
  UnsupportedError: false,
  /** An engine answered that the job failed. */
  JobFailedError: true,
  /** An engine, a database or a disk is away or full for now. */
  UnavailableError: true,
  /** Others wrote meanwhile, more often than the commit was tried again. */
  CommitConflictError: true,
} as const;

export type EngineErrorType = keyof typeof RETRYABLE_BY_TYPE;

export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly type: EngineErrorType;

  constructor(type: EngineErrorType, message: string, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
  }

  get retryable(): boolean {
    return RETRYABLE_BY_TYPE[this.type];
  }
}

/** The message of whatever was thrown, for logs and for wrapping. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
