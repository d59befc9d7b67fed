/**
 * Rows of a CSV file from its bytes, as they come: quoted fields, doubled quotes, line ends inside
 * quotes, LF or CRLF, a byte-order mark. Every row knows its line and its place in the file, so
 * that reading can go on where it stopped.
 *
 * Source of the format: RFC 4180; a quote inside an unquoted field is refused.
 */

export interface CsvOptions {
  /** One ASCII character. */
  readonly delimiter: string;
  /** Where the first byte lies in the file: 0, or a row's `end`. */
  readonly offset: number;
  /** The line of that first byte, from 1. */
  readonly line: number;
}

/** A row that could be read, or why it could not. Lines without any character are left out. */
export type CsvRow =
  | { readonly kind: 'row'; readonly fields: readonly string[]; readonly at: RowPlace }
  | { readonly kind: 'bad'; readonly reason: string; readonly at: RowPlace };

export interface RowPlace {
  /** Number of the row's first line, from 1. */
  readonly line: number;
  /** Offset of the first byte after the row, and the line that begins there. */
  readonly end: number;
  readonly nextLine: number;
}

export const csvLimits = {
  /** Bytes of one row; what is longer is skipped as bad. An unclosed quote ends up here. */
  rowBytesMax: 1024 * 1024,
  columnsMax: 4096,
} as const;

/** Keeps nothing between calls. */
const utf8 = new TextDecoder('utf-8', { fatal: true });
const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const byteOrderMark = [0xef, 0xbb, 0xbf];

export async function* readCsv(
  source: AsyncIterable<Uint8Array>,
  options: Partial<CsvOptions> = {},
): AsyncGenerator<CsvRow> {
  const { delimiter = ',', offset = 0, line = 1 } = options;
  const cutter = new RowCutter(delimiter, offset, line);
  for await (const chunk of source) {
    for (const raw of cutter.push(chunk)) {
      const row = toRow(raw, delimiter);
      if (row !== null) yield row;
    }
  }
  const last = cutter.finish();
  const row = last === null ? null : toRow(last, delimiter);
  if (row !== null) yield row;
}

/** The bytes of a row without its line end; null when it was longer than the limit. */
interface RawRow {
  readonly bytes: Buffer | null;
  readonly isOpen: boolean;
  readonly at: RowPlace;
}

/** Where in a field the reading stands; a quote opens one only at its start. */
type FieldState = 'start' | 'plain' | 'quoted' | 'closed';

/** Cuts the stream where a line ends outside quotes; holds at most one row. */
class RowCutter {
  readonly #delimiter: number;
  #parts: Buffer[] = [];
  #size = 0;
  #state: FieldState = 'start';
  #offset: number;
  #firstLine: number;
  #line: number;

  constructor(delimiter: string, offset: number, line: number) {
    this.#delimiter = delimiter.charCodeAt(0);
    this.#offset = offset;
    this.#firstLine = line;
    this.#line = line;
  }

  *push(chunk: Uint8Array): Generator<RawRow> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let i = 0; i < bytes.length; i += 1) {
      const byte = bytes[i] as number;
      if (byte !== lineFeed) {
        const isMark = this.#offset === 0 && this.#size + i - from < byteOrderMark.length;
        if (!isMark || byte !== byteOrderMark[this.#size + i - from]) this.#step(byte);
        continue;
      }
      this.#line += 1;
      // A row beyond the limit ends at any line: an unclosed quote must not eat the whole file.
      const isWithin = this.#size + i - from <= csvLimits.rowBytesMax;
      if (this.#state === 'quoted' && isWithin) continue;
      this.#keep(bytes.subarray(from, i + 1));
      from = i + 1;
      yield this.#cut();
    }
    this.#keep(bytes.subarray(from));
  }

  #step(byte: number): void {
    if (this.#state === 'quoted') {
      if (byte === quote) this.#state = 'closed';
    } else if (byte === this.#delimiter) {
      this.#state = 'start';
    } else if (byte === quote && this.#state !== 'plain') {
      // At the start it opens; after a closing one it makes the pair that stands for a quote.
      this.#state = 'quoted';
    } else {
      this.#state = 'plain';
    }
  }

  finish(): RawRow | null {
    return this.#size === 0 ? null : this.#cut();
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size <= csvLimits.rowBytesMax) this.#parts.push(Buffer.from(part));
    else this.#parts = [];
  }

  #cut(): RawRow {
    const isTooLong = this.#size > csvLimits.rowBytesMax;
    const end = this.#offset + this.#size;
    const at = { line: this.#firstLine, end, nextLine: this.#line };
    const bytes = isTooLong ? null : withoutLineEnd(Buffer.concat(this.#parts));
    const isOpen = this.#state === 'quoted';
    this.#parts = [];
    this.#size = 0;
    this.#state = 'start';
    this.#offset = end;
    this.#firstLine = this.#line;
    return { bytes, isOpen, at };
  }
}

function withoutLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  if (bytes[end - 1] === lineFeed) end -= 1;
  if (bytes[end - 1] === carriageReturn) end -= 1;
  return bytes.subarray(0, end);
}

function toRow(raw: RawRow, delimiter: string): CsvRow | null {
  const { bytes, isOpen, at } = raw;
  const bad = (reason: string): CsvRow => ({ kind: 'bad', reason, at });
  if (bytes === null) return bad(`the row is longer than ${csvLimits.rowBytesMax} bytes`);
  if (bytes.length === 0) return null;
  if (isOpen) return bad('a quoted field is not closed');
  const text = decode(bytes);
  if (text === null) return bad('the row is not UTF-8');
  const fields = splitFields(text, delimiter);
  if (typeof fields === 'string') return bad(fields);
  if (fields.length > csvLimits.columnsMax) return bad(`more than ${csvLimits.columnsMax} columns`);
  return { kind: 'row', fields, at };
}

/** Drops a byte-order mark, as the standard's decoder does. */
function decode(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** The fields, or what is wrong with them. */
function splitFields(text: string, delimiter: string): string[] | string {
  if (!text.includes('"')) return text.split(delimiter);
  const fields: string[] = [];
  let from = 0;
  for (;;) {
    if (text[from] !== '"') {
      const to = text.indexOf(delimiter, from);
      const field = to < 0 ? text.slice(from) : text.slice(from, to);
      if (field.includes('"')) return `a quote inside the unquoted field ${fields.length + 1}`;
      fields.push(field);
      if (to < 0) return fields;
      from = to + 1;
      continue;
    }
    const close = closingQuote(text, from + 1);
    fields.push(text.slice(from + 1, close).replaceAll('""', '"'));
    from = close + 1;
    if (from >= text.length) return fields;
    if (text[from] !== delimiter) return `text after the closing quote of field ${fields.length}`;
    from += 1;
  }
}

/** The cutter ends a row only where its quoted fields are closed, so there is one. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}
