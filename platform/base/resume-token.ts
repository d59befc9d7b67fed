import { FreshetError } from './errors.ts';

/** A place in a shard's history. */
export interface Position {
  readonly epoch: number;
  readonly version: number;
}

/** shard → the last position seen. */
export type Positions = ReadonlyMap<number, Position>;

/** `shard.epoch.version` of every shard, base 36, joined by `-`: safe in URLs and headers. */
export function encodeToken(positions: Positions): string {
  const parts: string[] = [];
  for (const [shard, { epoch, version }] of positions) {
    parts.push([shard, epoch, version].map((number) => number.toString(36)).join('.'));
  }
  return parts.join('-');
}

/** Throws INVALID_ARGUMENT. */
export function decodeToken(token: string): Map<number, Position> {
  const positions = new Map<number, Position>();
  for (const part of token === '' ? [] : token.split('-')) {
    const numbers = part
      .split('.')
      .map((text) => (/^[0-9a-z]+$/.test(text) ? parseInt(text, 36) : -1));
    const [shard, epoch, version] = numbers;
    const good = numbers.length === 3 && numbers.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!good || shard === undefined || epoch === undefined || version === undefined) {
      throw new FreshetError('INVALID_ARGUMENT', `${JSON.stringify(token)} is no resume token`, {
        mend: 'Give the token of an event as it was received',
      });
    }
    positions.set(shard, { epoch, version });
  }
  return positions;
}
