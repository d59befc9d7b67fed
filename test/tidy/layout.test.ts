import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listRepositoryFiles, readRepositoryFile, repositoryRoot } from '../support/mod.ts';

const files = listRepositoryFiles();
const sizeOf = (path: string) => statSync(join(repositoryRoot, path)).size;
const MB = 1_000_000;

test('the top level holds fixed names only', () => {
  const allowed = new Set([
    'LICENSE',
    'README.md',
    'examples',
    'native',
    'package-lock.json',
    'package.json',
    'pipelines',
    'platform',
    'test',
    'tsconfig.json',
    'udl',
  ]);
  const names = new Set(files.map((path) => path.split('/', 1)[0] ?? ''));
  const others = [...names].filter((name) => !allowed.has(name) && !name.startsWith('.'));
  expect(others).toEqual([]);
});

test('every room of platform/ has a mod.ts with explicit named exports', () => {
  const folders = files.map((path) => /^platform\/([^/]+)\//.exec(path)?.[1] ?? null);
  // These two are programs: nobody imports them.
  const programs = new Set(['cli', 'start']);
  const rooms = new Set(folders.filter((name) => name !== null && !programs.has(name)));
  expect(rooms.size).toBeGreaterThan(0);
  const missing = [...rooms].filter((name) => !files.includes(`platform/${name}/mod.ts`));
  expect(missing).toEqual([]);
  const starred = files.filter(
    (path) => path.endsWith('/mod.ts') && /^export \*/m.test(readRepositoryFile(path)),
  );
  expect(starred).toEqual([]);
});

test('files of TypeScript are in kebab-case, of C++ in snake_case', () => {
  const base = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d|svelte))*\.(ts|mjs)$/;
  const snake = /^[a-z0-9]+(_[a-z0-9]+)*\.(h|cc)$/;
  const isGenerated = (path: string) => path.includes('/generated/');
  const misnamed = files.filter(
    (path) =>
      !isGenerated(path) &&
      ((/\.(ts|mjs)$/.test(path) && !kebab.test(base(path))) ||
        (/\.(h|cc|cpp|hpp|cxx)$/.test(path) && !snake.test(base(path)))),
  );
  expect(misnamed).toEqual([]);
});

test('a unit test lies where the source that it is named after lies', () => {
  const sources = new Set(
    files
      .filter((path) => /^(platform|udl|pipelines)\/.*\.ts$/.test(path))
      .map((path) => path.replace(/^(platform|pipelines)\//, '')),
  );
  const folders = new Set([...sources].map((path) => path.split('/', 1)[0]));
  const units = files.filter((path) => /^test\/unit\/.*\.test\.ts$/.test(path));
  const room = (path: string) => path.split('/')[2] ?? '';
  // platform/start is not TypeScript, platform/node.ts has no folder; test has parts of its own.
  const known = new Set(['start', 'node', 'support', 'config', 'bench']);
  const stray = units.filter((path) => !folders.has(room(path)) && !known.has(room(path)));
  expect(stray).toEqual([]);
});

test('the repository stays under 40 MB, a model under 2 MB', () => {
  const total = files.reduce((sum, path) => sum + sizeOf(path), 0);
  expect(total).toBeLessThan(40 * MB);
  const models = files.filter((path) => path.endsWith('.onnx') && sizeOf(path) >= 2 * MB);
  expect(models).toEqual([]);
});
