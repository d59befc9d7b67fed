import { status } from '@grpc/grpc-js';
import type { ErrorCode } from '../base/mod.ts';

interface Mapping {
  readonly http: number;
  readonly grpc: status;
}

const badRequest: Mapping = { http: 400, grpc: status.INVALID_ARGUMENT };
const notFound: Mapping = { http: 404, grpc: status.NOT_FOUND };
const conflict: Mapping = { http: 409, grpc: status.ALREADY_EXISTS };
const failedCondition: Mapping = { http: 412, grpc: status.FAILED_PRECONDITION };
const tooLarge: Mapping = { http: 413, grpc: status.OUT_OF_RANGE };
const unprocessable: Mapping = { http: 422, grpc: status.INVALID_ARGUMENT };
const overloaded: Mapping = { http: 429, grpc: status.RESOURCE_EXHAUSTED };
const internal: Mapping = { http: 500, grpc: status.INTERNAL };
const unsupported: Mapping = { http: 501, grpc: status.UNIMPLEMENTED };
const unavailable: Mapping = { http: 503, grpc: status.UNAVAILABLE };
const timeout: Mapping = { http: 504, grpc: status.DEADLINE_EXCEEDED };

/** The one place where our codes meet HTTP (RFC 9110) and gRPC status codes. */
export const statusCodes: Readonly<Record<ErrorCode, Mapping>> = {
  UNKNOWN_POOL: notFound,
  POOL_EXISTS: conflict,
  INVALID_POOL: badRequest,
  INVALID_KEY: badRequest,
  KEY_TOO_LONG: badRequest,
  VALUE_TOO_LARGE: tooLarge,
  META_TOO_LARGE: tooLarge,
  INVALID_VALUE: unprocessable,
  INVALID_ARGUMENT: badRequest,
  CONDITION_FAILED: failedCondition,
  NOT_FOUND: notFound,
  COMPACTED: { http: 410, grpc: status.OUT_OF_RANGE },
  INVALID_QUERY: badRequest,
  UNSUPPORTED: unsupported,
  OVERLOADED: overloaded,
  TIMEOUT: timeout,
  CANCELLED: { http: 499, grpc: status.CANCELLED },
  SHARD_STOPPED: unavailable,
  NOT_CURRENT: unavailable,
  NOT_A_MEMBER: unavailable,
  UNREACHABLE: unavailable,
  CLOSED: unavailable,
  WRONG_CLUSTER: failedCondition,
  WRONG_TRANSPORT: failedCondition,
  NO_FABRIC: unsupported,
  UNORDERED_FABRIC: unsupported,
  MEMLOCK_TOO_LOW: failedCondition,
  DISK_FULL: { http: 507, grpc: status.RESOURCE_EXHAUSTED },
  DISK_FAILED: internal,
  LOG_CORRUPT: { http: 500, grpc: status.DATA_LOSS },
  HISTORY_DIFFERS: { http: 500, grpc: status.DATA_LOSS },
  NEWER_FORMAT: failedCondition,
  DATA_IN_USE: failedCondition,
  DATA_UNWRITABLE: internal,
  INVALID_CONFIG: badRequest,
  ADDRESS_IN_USE: conflict,
  INVALID_PIPELINE: unprocessable,
  LAMBDA_FAILED: internal,
  LAMBDA_TIMEOUT: timeout,
  UNDECLARED_EDGE: unprocessable,
  CALL_FAILED: internal,
  MODEL_INVALID: unprocessable,
  IMAGE_INVALID: unprocessable,
  UNAUTHENTICATED: { http: 401, grpc: status.UNAUTHENTICATED },
  FORBIDDEN: { http: 403, grpc: status.PERMISSION_DENIED },
  SESSION_EXPIRED: { http: 410, grpc: status.FAILED_PRECONDITION },
  NATIVE_MISSING: unsupported,
  INTERNAL: internal,
};
