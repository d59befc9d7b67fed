import { check, limits } from '../base/mod.ts';

/**
 * Maxima of one expression. Trees arrive over the network: what is over a limit is refused with
 * INVALID_QUERY before anything is compiled.
 */
export const expressionLimits = Object.freeze({
  /** Nodes of one tree; a projected field counts as one node. */
  nodes: limits.queryNodes,
  /** Nesting of one tree. */
  depth: 64,
  /** Arguments of one `and` or `or`. */
  arguments: limits.queryNodes,
  /** Steps of one path into a value. */
  pathSteps: 32,
  /** UTF-16 units of one field name. */
  nameUnits: 256,
  /** UTF-16 units of one constant text: enough for the longest key. */
  textUnits: 4096,
  /** Fields of one projection, or items of one projected list. */
  projectionFields: 256,
});

/** Maxima of one native program; alike in native code, which refuses what is over them. */
export const nativeLimits = Object.freeze({
  programBytes: 4096,
  stackDepth: 32,
  stringBytes: 0xffff,
});

check(limits.keyBytes <= expressionLimits.textUnits, 'a tree can name the longest key');
check(limits.keyBytes < nativeLimits.programBytes, 'a native program can hold the longest key');
