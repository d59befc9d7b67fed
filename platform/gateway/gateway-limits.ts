import { check, limits } from '../base/mod.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The named maxima of the doors. Units stand last. */
const table = {
  /** A put's body over HTTP: a value of the largest pool. One byte more is VALUE_TOO_LARGE. */
  putBodyBytes: limits.valueBytesMax,
  /** Any other body. */
  bodyBytes: limits.valueBytesWhole,
  /** Of values over `valueBytesWhole`: as much is on its way in at once, and out, at each door. */
  longBodyBytes: 2 * limits.valueBytesMax,
  /** A long value, in or out, is given up once nothing of it moves for so long. */
  longIdleMs: 30_000,
  /** What a long value goes in over gRPC. */
  pieceBytes: 1 * MiB,
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
