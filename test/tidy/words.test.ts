import { expect, test } from 'vitest';
import { listRepositoryFiles, readRepositoryFile } from '../support/mod.ts';
import { findLines, listSources } from './files.ts';

// Written in two parts, so that this file does not hold what it looks for.
const word = (...parts: readonly string[]) => parts.join('');

const sources = listSources();
const typeScript = sources.filter(({ path }) => path.endsWith('.ts'));
const tests = typeScript.filter(({ path }) => path.startsWith('test/'));

test('nothing is left for later', () => {
  const words = [word('TO', 'DO'), word('FIX', 'ME'), word('XX', 'X'), word('HA', 'CK')];
  const pattern = new RegExp(`\\b(${words.join('|')})\\b`);
  expect(findLines(sources, (line) => pattern.test(line))).toEqual([]);
});

test('the compiler and the linter are not silenced', () => {
  const words = [
    word('@ts', '-ignore'),
    word('@ts', '-nocheck'),
    word('prettier', '-ignore'),
    word('NOL', 'INT'),
  ];
  const pattern = new RegExp(words.join('|'));
  expect(findLines(sources, (line) => pattern.test(line))).toEqual([]);
  // A unit test may show that something does not compile, or is refused when it does.
  const expectation = new RegExp(`${word('@ts', '-expect-error')}|${word('eslint', '-disable')}`);
  const isStray = (line: string, path: string) =>
    expectation.test(line) && !path.startsWith('test/unit/');
  expect(findLines(typeScript, isStray)).toEqual([]);
});

test('nothing is of any type', () => {
  const pattern = new RegExp(word('(\\bas|[:<|,]) ?an', 'y(?=[\\s,;>)\\[|=]|$)'));
  const code = (line: string) => line.replace(/(^\s*\*|\/\*|\/\/|['"`]).*$/, '');
  const isAny = (line: string) => pattern.test(code(line));
  expect(findLines(typeScript, isAny)).toEqual([]);
});

test('a test is skipped only by a requirement of test/support, and none stands alone', () => {
  const pattern = /\b(it|test|describe)\.(skip|only|todo|fails)\b|\b(xit|xdescribe|fit)\(/;
  expect(findLines(tests, (line) => pattern.test(line))).toEqual([]);
});

test('nothing names a place on one machine', () => {
  const places = ['home/\\w+/', 'root/', 'Users/\\w+/', 'work/', 'workspace/'].map((place) =>
    word('/', place),
  );
  const pattern = new RegExp(`(^|[\\s'"\`=(:])(${places.join('|')})`);
  const texts = listRepositoryFiles()
    .filter((path) => /\.(ts|mjs|h|cc|md|json|txt|py|sh|yml|proto)$|^\.ci\//.test(path))
    .map((path) => ({ path, lines: readRepositoryFile(path).split('\n') }));
  expect(findLines(texts, (line) => pattern.test(line))).toEqual([]);
});

test('the lockfile names no registry and pins every package by its content', () => {
  interface Lock {
    readonly packages: Readonly<Record<string, { resolved?: string; integrity?: string }>>;
  }
  const { packages } = JSON.parse(readRepositoryFile('package-lock.json')) as Lock;
  const entries = Object.entries(packages).filter(([path]) => path !== '');
  expect(entries.length).toBeGreaterThan(100);
  expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  expect(entries.filter(([, { integrity }]) => integrity === undefined)).toEqual([]);
});

test('every dependency is pinned to one version', () => {
  interface Package {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  }
  const { dependencies, devDependencies } = JSON.parse(
    readRepositoryFile('package.json'),
  ) as Package;
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  );
  expect(loose).toEqual([]);
});
