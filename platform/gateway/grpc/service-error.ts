import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { toFreshetError } from '../../base/mod.ts';
import { errorTrailer } from '../../client/grpc/mod.ts';
import { statusCodes } from '../status-codes.ts';

/**
 * A caught failure as gRPC sends it: its status, its sentence, and the coded error as a trailer.
 */
export function serviceError(caught: unknown): StatusObject {
  const error = toFreshetError(caught);
  const metadata = new Metadata();
  metadata.set(errorTrailer, Buffer.from(JSON.stringify(error)));
  return { code: statusCodes[error.code].grpc, details: error.toString(), metadata };
}
