import { expect, test } from 'vitest';
import { findLines, listSources } from './files.ts';

const lineLengthMax = 100;
/** A line with a string in it may be longer: the formatter does not break what people will read. */
const textLineLengthMax = 180;
const fileLengthMax = 500;

/** Files that may be longer, each with its reason. The list only shrinks. */
const longFiles = new Map<string, string>();

const sources = listSources();

test('there are sources to look at', () => {
  expect(sources.length).toBeGreaterThan(50);
});

test('no line is longer than 100 columns', () => {
  const maxOf = (line: string) => (/['"`]/.test(line) ? textLineLengthMax : lineLengthMax);
  const isLong = (line: string) => line.length > maxOf(line) && !/https?:\/\/\S+/.test(line);
  expect(findLines(sources, isLong)).toEqual([]);
});

test('no file is longer than 500 lines', () => {
  const long = sources.filter(({ lines }) => lines.length - 1 > fileLengthMax);
  const unexpected = long.filter(({ path }) => !longFiles.has(path));
  expect(unexpected.map(({ path, lines }) => `${path}: ${lines.length - 1} lines`)).toEqual([]);
});

test('the list of long files holds none that is short or gone', () => {
  const lengths = new Map(sources.map(({ path, lines }) => [path, lines.length - 1]));
  const stale = [...longFiles.keys()].filter((path) => (lengths.get(path) ?? 0) <= fileLengthMax);
  expect(stale).toEqual([]);
});

test('lines end without blanks, in one line feed, indented by spaces', () => {
  const isUntidy = (line: string) => /[ \t\r]$|^\t/.test(line);
  expect(findLines(sources, isUntidy)).toEqual([]);
  const unended = sources.filter(({ lines }) => lines.at(-1) !== '' || lines.at(-2) === '');
  expect(unended.map(({ path }) => path)).toEqual([]);
});
