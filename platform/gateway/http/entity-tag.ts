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
  return tagsOf(noneMatch).some((part) => part === '*' || part.replace(/^W\//, '') === tag);
}

/** Does `If-Match` of a read demand another version? Compared strongly: a weak tag is another. */
export function isOther(match: string | undefined, tag: string): boolean {
  return match !== undefined && !tagsOf(match).some((part) => part === '*' || part === tag);
}

function tagsOf(header: string): string[] {
  return header.split(',').map((part) => part.trim());
}

/**
 * One byte range (RFC 9110, 14): null: the whole, also where `If-Range` names another version, so
 * that nobody joins the parts of two; 'unsatisfiable' beyond the end.
 */
export function rangeOf(
  headers: { readonly range?: string | undefined; readonly 'if-range'?: string | undefined },
  size: number,
  tag: string,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | null {
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && ifRange.trim() !== tag) return null;
  const parts = /^bytes=(\d*)-(\d*)$/i.exec(headers.range ?? '');
  if (parts === null || (parts[1] === '' && parts[2] === '')) return null;
  const [first, last] = [parts[1] ?? '', parts[2] ?? ''];
  // Backwards is no range at all.
  if (first !== '' && last !== '' && Number(first) > Number(last)) return null;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start > end || start >= size ? 'unsatisfiable' : { start, end };
}
