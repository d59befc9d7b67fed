import { check, limits } from '../base/mod.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The named maxima of the doors. Units stand last. */
const table = {
  /** A body of the HTTP door: a value of the largest pool. One byte more is VALUE_TOO_LARGE. */
  bodyBytes: limits.valueBytesMax,
  /** A query plan as JSON. */
  planBytes: 1 * MiB,
  /** The options of a pool as JSON. */
  poolBodyBytes: 256 * KiB,
  /** A request line: Node's own limit of headers, so that every key is judged by us. */
  pathBytes: 16 * KiB,
};

export const gatewayLimits: Readonly<typeof table> = Object.freeze(table);

check(gatewayLimits.planBytes <= gatewayLimits.bodyBytes, 'a plan fits a body');
check(limits.keyBytes * 3 < gatewayLimits.pathBytes, 'a key fits a request line, percent-encoded');
