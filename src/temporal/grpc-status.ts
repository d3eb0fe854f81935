import { isGrpcServiceError } from '@temporalio/client';

/** Codes of gRPC (https://grpc.io/docs/guides/status-codes/) that we tell apart. */
const CODES = { CANCELLED: 1, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8, UNAVAILABLE: 14 } as const;

type GrpcStatus = keyof typeof CODES;

/** Whether a call to Temporal, or what the client made of its failure, ended with one of these codes. */
export function hasGrpcStatus(error: unknown, ...statuses: GrpcStatus[]): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (isGrpcServiceError(cause)) {
      const code: number = cause.code;
      return statuses.some((status) => CODES[status] === code);
    }
  }
  return false;
}
