import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvLimits, readCsv } from '../../../../platform/client/import/csv.ts';
import type { CsvRow } from '../../../../platform/client/import/csv.ts';

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

async function rowsOf(text: string | Buffer, size = 7, options = {}): Promise<CsvRow[]> {
  return collect(readCsv(inChunks(Buffer.from(text), size), options));
}
const fieldsOf = (rows: CsvRow[]) =>
  rows.map((row) => (row.kind === 'row' ? row.fields : row.reason));

test('plain, quoted, doubled quotes, line ends inside, CRLF, blank lines, no last line end', async () => {
  const text = 'a,b,c\r\n\n1,"two, and ""half""",\r\n"x\ny",,"z"\nlast,1,2';
  const rows = await rowsOf(text);
  expect(fieldsOf(rows)).toEqual([
    ['a', 'b', 'c'],
    ['1', 'two, and "half"', ''],
    ['x\ny', '', 'z'],
    ['last', '1', '2'],
  ]);
  expect(rows.map((row) => row.at.line)).toEqual([1, 3, 4, 6]);
});

test('a byte-order mark is dropped, also before a quote', async () => {
  expect(fieldsOf(await rowsOf('\ufeffa,b\n1,2\n', 1))).toEqual([
    ['a', 'b'],
    ['1', '2'],
  ]);
  expect(fieldsOf(await rowsOf('\ufeff"a\nb",c\n1,2\n'))).toEqual([
    ['a\nb', 'c'],
    ['1', '2'],
  ]);
});

test('a broken row is named and the next ones are read', async () => {
  const text = Buffer.concat([
    Buffer.from('a,5" pipe\nb,"x"y\nc,'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('\nd,1\ne,"open'),
  ]);
  const rows = await rowsOf(text);
  expect(fieldsOf(rows)).toEqual([
    'a quote inside the unquoted field 2',
    'text after the closing quote of field 2',
    'the row is not UTF-8',
    ['d', '1'],
    'a quoted field is not closed',
  ]);
  expect(rows.map((row) => row.at.line)).toEqual([1, 2, 3, 4, 5]);
});

test('a row beyond the limit is skipped, an unclosed quote does not eat the file', async () => {
  const long = 'x'.repeat(csvLimits.rowBytesMax + 10);
  const open = `"never closed\n${'y,z\n'.repeat(csvLimits.rowBytesMax / 4)}`;
  const rows = await rowsOf(`1,2\n${long}\n3,4\n${open}5,6\n`, 65_536);
  const reasons = rows.filter((row) => row.kind === 'bad');
  expect(reasons.map((row) => row.at.line)).toEqual([2, 4]);
  expect(rows.at(-1)).toMatchObject({ kind: 'row', fields: ['5', '6'] });
});

test('what was written is what is read, in chunks of any size, from the end of any row', async () => {
  const field = fc.string({ unit: fc.constantFrom('a', 'é', '🐄', '"', ',', '\n', '\r', ' ') });
  const written = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1 });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await fc.assert(
    fc.asyncProperty(written, fc.integer({ min: 1, max: 9 }), async (rows, size) => {
      const text = rows.map((fields) => `${fields.map(quoted).join(',')}\n`).join('');
      const read = await rowsOf(text, size);
      expect(fieldsOf(read)).toEqual(rows);
      const middle = read[Math.floor(read.length / 2)]?.at;
      if (middle === undefined) return;
      const rest = Buffer.from(text).subarray(middle.end);
      const resumed = await rowsOf(rest, size, { offset: middle.end, line: middle.nextLine });
      expect(resumed).toEqual(read.slice(Math.floor(read.length / 2) + 1));
    }),
    { seed: 3 },
  );
});
