import { type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { errorFromObject, FreshetError, isErrorCode } from '../../base/mod.ts';

/** Trailing metadata that carries a coded error through gRPC, as JSON. */
export const errorTrailer = 'freshet-error-bin';

/** Rebuilds the coded error of a failed call; without one the gRPC status says what happened. */
export function errorOfCall(failure: unknown, address: string): FreshetError {
  if (failure instanceof FreshetError) return failure;
  const { code, details, metadata } = failure as Partial<ServiceError>;
  const carried = carriedError(metadata);
  if (carried !== null) return carried;
  const text = `${details ?? String(failure)} (${address})`;
  switch (code) {
    case status.UNAVAILABLE:
      return unreachable(details ?? '', address);
    case status.DEADLINE_EXCEEDED:
      return new FreshetError('TIMEOUT', `The member at ${address} did not answer in time`);
    case status.CANCELLED:
      return new FreshetError('CLOSED', text);
    case status.RESOURCE_EXHAUSTED:
      return new FreshetError('VALUE_TOO_LARGE', text);
    default:
      return new FreshetError('INTERNAL', text);
  }
}

const reasons: readonly (readonly [pattern: RegExp, sentence: string])[] = [
  [/ECONNREFUSED/, 'nobody listens there'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution/i, 'the name is not known'],
  [/EHOSTUNREACH|ENETUNREACH/, 'there is no way to it'],
  [/ETIMEDOUT|timeout/i, 'it did not answer in time'],
  [/ECONNRESET|EPIPE|dropped|GOAWAY|shutting down|hang up/i, 'the connection was lost'],
  [/protocol error|Parse Error|HTTP\/1/i, 'what listens there does not speak gRPC'],
];

/** The library's own account of it is long and kept as a detail. */
function unreachable(account: string, address: string): FreshetError {
  const known = reasons.find(([pattern]) => pattern.test(account));
  const why = known === undefined ? '' : `: ${known[1]}`;
  return new FreshetError('UNREACHABLE', `The member at ${address} cannot be reached${why}`, {
    details: { address, account },
  });
}

function carriedError(metadata: Metadata | undefined): FreshetError | null {
  const [value] = metadata?.get(errorTrailer) ?? [];
  if (value === undefined) return null;
  const parsed = JSON.parse(value.toString()) as { code?: unknown };
  return isErrorCode(parsed.code) ? errorFromObject(parsed) : null;
}
