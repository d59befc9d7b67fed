import { FreshetError } from '../../base/mod.ts';
import type { Expectation } from '../../client/mod.ts';

/** ETags are strong and name a place in history: `"<epoch>-<version>"` (RFC 9110, 8.8.3). */
export function entityTag({
  epoch,
  version,
}: {
  readonly epoch: number;
  readonly version: number;
}): string {
  return `"${String(epoch)}-${String(version)}"`;
}

/** What `If-Match` and `If-None-Match: *` demand of a put or a remove. */
export function expectationOf(headers: {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
}): { expect?: Expectation } {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*') return { expect: { versionOfKey: 0 } };
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `If-None-Match is '${noneMatch}'; with a change only * is possible`,
    );
  }
  if (match === undefined) return {};
  const parts = /^\s*"(\d+)-(\d+)"\s*$/.exec(match);
  if (parts === null) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `If-Match is '${match}', not one ETag "epoch-version"`,
    );
  }
  return { expect: { epoch: Number(parts[1]), versionOfKey: Number(parts[2]) } };
}

/** Does `If-None-Match` of a read name this very version? */
export function isUnchanged(noneMatch: string | undefined, tag: string): boolean {
  if (noneMatch === undefined) return false;
  return noneMatch.split(',').some((part) => part.trim().replace(/^W\//, '') === tag);
}

/** One byte range (RFC 9110, 14): null: the whole; 'unsatisfiable' beyond the end. */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | null {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (parts === null || (parts[1] === '' && parts[2] === '')) return null;
  const [first, last] = [parts[1] ?? '', parts[2] ?? ''];
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
