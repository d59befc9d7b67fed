import { FreshetError, messageOf } from '../base/mod.ts';
import { gatewayLimits } from './gateway-limits.ts';

/** JSON out of a body or a message field; INVALID_ARGUMENT names what it was to be. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `${what} is not JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** A query plan, bounded before it is parsed. */
export function parsePlanJson(bytes: Uint8Array): unknown {
  if (bytes.byteLength > gatewayLimits.planBytes) {
    const [size, most] = [String(bytes.byteLength), String(gatewayLimits.planBytes)];
    throw new FreshetError('INVALID_QUERY', `The plan has ${size} bytes; the limit is ${most}`);
  }
  return parseJson(bytes, 'The query plan');
}

/** The bytes of a request's body; a request without one has none. */
export function bytesOf(body: unknown): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array(0);
}
