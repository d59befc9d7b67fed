/**
 * A table to puts, row by row, without holding it: what `freshet import` sends. Bad rows come in
 * the same stream with their line and what is wrong, and every row carries a token with which the
 * next run goes on after it.
 */
import { createReadStream, type ReadStream } from 'node:fs';
import { crc32 } from 'node:zlib';
import { FreshetError, messageOf } from '../../base/mod.ts';
import { readCsv } from './csv.ts';
import type { CsvRow, RowPlace } from './csv.ts';
import { parseEventTime } from './event-time.ts';
import type { TimeFormat } from './event-time.ts';
import { KeyTemplate } from './key-template.ts';

export interface ImportOptions {
  /** Path of the CSV file; its first row names the columns. */
  readonly file: string;
  /** As `/dairy/daily_{field}/cow_{cow}`; names in braces are columns, `{field}` each value's. */
  readonly keyTemplate: string;
  readonly eventTimeColumn: string;
  readonly timeFormat?: TimeFormat;
  readonly delimiter?: string;
  /** Other names for columns, name in the file to name in keys and values. */
  readonly rename?: Readonly<Record<string, string>>;
  /** The value columns, by their new names; null is all that are in no key and not the time. */
  readonly fields?: readonly string[] | null;
  /** Value columns that hold text; all others must hold numbers. */
  readonly textFields?: readonly string[];
  /** Cells with one of these texts hold nothing: no put, and no error. */
  readonly absent?: readonly string[];
  /** A token of an earlier run over the same file: only what comes after it is read. */
  readonly from?: string | null;
}

/** Column name to number or text: one column where the key has `{field}`, else all of the row. */
export type ImportedValue = Readonly<Record<string, number | string>>;

export type ImportItem =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: ImportedValue;
      /** Microseconds since 1970. */
      readonly eventTime: number;
      readonly line: number;
    }
  | { readonly kind: 'bad'; readonly line: number; readonly reason: string }
  /** The row is done: to go on after it, start from `token`. */
  | { readonly kind: 'row'; readonly line: number; readonly token: string };

/**
 * @throws INVALID_ARGUMENT when the file cannot be read, a column is missing, the template is
 *   wrong, or the token belongs to another file
 */
export async function* planImport(options: ImportOptions): AsyncGenerator<ImportItem> {
  const { header, place } = await readHeader(options);
  const reader = new RowReader(options, header);
  const mark = crc32(header.join('\u0000'));
  const from = options.from ?? null;
  const start = from === null ? place : parseToken(from, mark);
  const source = createReadStream(options.file, { start: start.end });
  const rows = readCsv(readable(source, options.file), {
    delimiter: options.delimiter ?? ',',
    offset: start.end,
    line: start.nextLine,
  });
  for await (const row of rows) {
    yield* reader.read(row);
    const { line, end, nextLine } = row.at;
    yield { kind: 'row', line, token: `${end}:${nextLine}:${mark}` };
  }
}

async function readHeader(
  options: ImportOptions,
): Promise<{ readonly header: readonly string[]; readonly place: RowPlace }> {
  const source = createReadStream(options.file, { highWaterMark: 16 * 1024 });
  try {
    const { delimiter = ',' } = options;
    for await (const row of readCsv(readable(source, options.file), { delimiter })) {
      if (row.kind === 'bad') {
        throw refusal(`the header of ${options.file}: ${row.reason}`, 'Mend its header');
      }
      const rename = options.rename ?? {};
      const header = row.fields.map((name) => rename[name.trim()] ?? name.trim());
      return { header, place: row.at };
    }
  } finally {
    source.destroy();
  }
  throw refusal(`${options.file} is empty`, 'Give a table whose first row names columns');
}

/** The same bytes; what the file system has against them names the file. */
async function* readable(source: ReadStream, file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of source) yield chunk as Uint8Array;
  } catch (cause) {
    throw new FreshetError('INVALID_ARGUMENT', `${file} cannot be read: ${messageOf(cause)}`, {
      mend: 'Give a table that can be read',
      cause,
    });
  }
}

function parseToken(token: string, mark: number): Pick<RowPlace, 'end' | 'nextLine'> {
  const [end, nextLine, tokenMark] = token.split(':').map(Number);
  const isWhole = [end, nextLine].every((n) => Number.isSafeInteger(n) && (n ?? 0) > 0);
  if (end === undefined || nextLine === undefined || !isWhole || tokenMark !== mark) {
    throw refusal(
      `the token ${token} does not belong to a table with these columns`,
      'Use the token of an earlier run over this file, or none to begin anew',
    );
  }
  return { end, nextLine };
}

/** Turns rows to puts once the columns are known. */
class RowReader {
  readonly #header: readonly string[];
  readonly #template: KeyTemplate;
  readonly #fields: readonly string[];
  readonly #columns: ReadonlyMap<string, number>;
  readonly #eventTimeColumn: string;
  readonly #timeFormat: TimeFormat;
  readonly #textFields: ReadonlySet<string>;
  readonly #absent: ReadonlySet<string>;

  constructor(options: ImportOptions, header: readonly string[]) {
    this.#header = header;
    this.#columns = new Map(header.map((name, i) => [name, i]));
    this.#template = templateOf(options.keyTemplate);
    this.#eventTimeColumn = options.eventTimeColumn;
    this.#timeFormat = options.timeFormat ?? 'iso';
    this.#textFields = new Set(options.textFields ?? []);
    this.#absent = new Set(options.absent ?? ['', 'NA']);
    const used = [...this.#template.columns, options.eventTimeColumn];
    this.#fields = options.fields ?? header.filter((name) => !used.includes(name));
    for (const name of [...used, ...this.#fields, ...this.#textFields]) this.#require(name);
    if (this.#columns.size !== header.length) {
      const twice = header.find((name, i) => header.indexOf(name) !== i);
      throw refusal(`two columns are called ${twice}`, 'Rename one of them');
    }
    if (this.#fields.length === 0) {
      throw refusal('no column is left for values', 'Name the value columns in fields');
    }
  }

  *read(row: CsvRow): Generator<ImportItem> {
    const { line } = row.at;
    if (row.kind === 'bad') {
      yield { kind: 'bad', line, reason: row.reason };
      return;
    }
    const items = this.#toPuts(row.fields, line);
    if (typeof items === 'string') yield { kind: 'bad', line, reason: items };
    else yield* items;
  }

  /** All puts of the row, or why there are none: a row is taken whole or not at all. */
  #toPuts(cells: readonly string[], line: number): ImportItem[] | string {
    if (cells.length !== this.#header.length) {
      return `${cells.length} cells, the header has ${this.#header.length}`;
    }
    const cell = (name: string): string => (cells[this.#columns.get(name) ?? -1] ?? '').trim();
    const timeText = cell(this.#eventTimeColumn);
    const eventTime = parseEventTime(timeText, this.#timeFormat);
    if (eventTime === null) {
      return `${this.#eventTimeColumn} is ${show(timeText)}, not a time as ${this.#timeFormat}`;
    }
    const values: [string, number | string][] = [];
    for (const name of this.#fields) {
      const text = cell(name);
      if (this.#absent.has(text)) continue;
      const value = this.#textFields.has(name) ? text : toNumber(text);
      if (value === null) return `${name} is ${show(text)}, not a number`;
      values.push([name, value]);
    }
    const groups = this.#template.isPerField ? values.map((value) => [value]) : [values];
    const puts: ImportItem[] = [];
    for (const group of groups) {
      const [first] = group;
      if (first === undefined) continue;
      const filled = this.#template.fill((name) => (name === 'field' ? first[0] : cell(name)));
      if ('reason' in filled) return filled.reason;
      const value = Object.fromEntries(group);
      puts.push({ kind: 'put', key: filled.key, value, eventTime, line });
    }
    return puts;
  }

  #require(name: string): void {
    if (this.#columns.has(name)) return;
    throw refusal(
      `there is no column ${name}; the columns are ${this.#header.join(', ')}`,
      'Name a column of the table, or rename one',
    );
  }
}

/** Why the table as a whole cannot be imported; no row was read. */
function refusal(message: string, mend: string): FreshetError {
  return new FreshetError('INVALID_ARGUMENT', message, { mend });
}

function templateOf(text: string): KeyTemplate {
  try {
    return new KeyTemplate(text);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw refusal(reason, 'Write a key as /dairy/daily_{field}/cow_{cow}');
  }
}

/** A plain decimal number; no hexadecimal, no digits lost, no infinity. */
function toNumber(text: string): number | null {
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
