import { Metadata, type StatusObject } from '@grpc/grpc-js';
import { FreshetError, toFreshetError } from '../../base/mod.ts';
import { errorTrailer } from '../../client/grpc/mod.ts';
import { statusCodes } from '../status-codes.ts';

/** A sentence is sent up to here: trailers too long for HTTP/2 end the whole connection. */
const textUnitsMax = 4096;

/**
 * A caught failure as gRPC sends it: its status, its sentence, and the coded error as a trailer.
 */
export function serviceError(caught: unknown): StatusObject {
  const error = shortened(toFreshetError(caught));
  const metadata = new Metadata();
  metadata.set(errorTrailer, Buffer.from(JSON.stringify(error)));
  return { code: statusCodes[error.code].grpc, details: error.toString(), metadata };
}

function shortened(error: FreshetError): FreshetError {
  const { code, details, cause } = error;
  const [message = '', mend = ''] = [error.message, error.mend].map(shown);
  const entries = Object.entries(details).map(([name, value]) => [
    name,
    typeof value === 'string' ? shown(value) : value,
  ]);
  const short = Object.fromEntries(entries) as typeof details;
  return new FreshetError(code, message, { mend, details: short, cause });
}

function shown(text: string): string {
  return text.length > textUnitsMax ? `${text.slice(0, textUnitsMax)}…` : text;
}
