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
  /**
   * A long value, in or out, is given up when its next `longLeastBytes` do not move within
   * `longIdleMs`: at 17 kbit/s. No line is so slow, and 1 GiB is over after six days.
   */
  longIdleMs: 30_000,
  longLeastBytes: 64 * KiB,
  /** What a long value goes out in. */
  pieceBytes: 64 * KiB,
  /** How long the last answer of a connection that is ended may take to go. */
  lastAnswerMs: 10_000,
  /** A query plan as JSON. */
  planBytes: 1 * MiB,
  /** The options of a pool as JSON. */
  poolBodyBytes: 256 * KiB,
  /** A request line: Node's own limit of headers, so that every key is judged by us. */
  pathBytes: 16 * KiB,
};

export const gatewayLimits: Readonly<typeof table> = Object.freeze(table);

check(gatewayLimits.planBytes <= gatewayLimits.bodyBytes, 'a plan fits a body');
check(gatewayLimits.pieceBytes <= gatewayLimits.longLeastBytes, 'each piece that goes counts');
check(limits.keyBytes * 3 < gatewayLimits.pathBytes, 'a key fits a request line, percent-encoded');
