import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { publicFile, reachableRooms, roomOf, rooms } from '../config/rooms.ts';
import {
  listRepositoryFiles,
  readRepositoryFile,
  repositoryRoot,
  runProgram,
  tempFolder,
} from '../support/mod.ts';

const files = listRepositoryFiles();

/** An import of a relative path, both ends relative to the repository. */
interface Arrow {
  readonly from: string;
  readonly to: string;
}

function listArrows(): readonly Arrow[] {
  const pattern = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*)['"](\.[^'"]*)['"]/g;
  const code = files.filter((path) => path.endsWith('.ts') && !path.startsWith('test/'));
  return code.flatMap((from) =>
    [...readRepositoryFile(from).matchAll(pattern)].map(([, relative = '']) => ({
      from,
      to: normalize(join(dirname(from), relative)),
    })),
  );
}

const arrows = listArrows();
const show = ({ from, to }: Arrow) => `${from} -> ${to}`;

describe('TypeScript', () => {
  test('imports point down only', () => {
    const upward = arrows.filter(({ from, to }) => {
      const [room, target] = [roomOf(from), roomOf(to)];
      const isInside = room === target || room === null || target === null;
      return !isInside && !reachableRooms(room.path).has(target.path);
    });
    expect(upward.map(show)).toEqual([]);
  });

  test('a room is entered by its mod.ts only', () => {
    const deep = arrows.filter(({ from, to }) => {
      const target = roomOf(to);
      const isSurface =
        target === null || target.path.endsWith('*.ts') || to.endsWith(`/${publicFile}`);
      return roomOf(from) !== target && !isSurface;
    });
    expect(deep.map(show)).toEqual([]);
  });

  test('every source lies in a room', () => {
    const isSource = (path: string) => /^(platform|udl|pipelines|examples)\/.*\.ts$/.test(path);
    expect(files.filter((path) => isSource(path) && roomOf(path) === null)).toEqual([]);
  });

  test('nothing imports tests, nothing imports examples, relative imports name .ts files', () => {
    const wrong = arrows.filter(
      ({ from, to }) =>
        to.startsWith('test/') ||
        (to.startsWith('examples/') && !from.startsWith('examples/')) ||
        !/\.(ts|json|svelte|css|mjs)$/.test(to),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('the table of rooms has no circle', () => {
    const circular = rooms.filter(({ path }) => reachableRooms(path).has(path));
    expect(circular).toEqual([]);
  });
});

describe('the check of npm run check', () => {
  const loader = join(repositoryRoot, 'node_modules/tsx/dist/loader.mjs');
  const program = join(repositoryRoot, 'test/config/check-arrows.ts');

  async function cruise(sources: Readonly<Record<string, string>>): Promise<string> {
    const folder = await tempFolder('arrows');
    for (const [path, text] of Object.entries(sources)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const args = ['--import', loader, program, 'platform'];
    const { code, stdout, stderr } = await runProgram(process.execPath, args, { cwd: folder });
    return `${code ?? 'killed'}\n${stdout}${stderr}`;
  }

  test('passes an arrow that points down', async () => {
    const output = await cruise({
      'platform/base/mod.ts': 'export const a = 1;\n',
      'platform/bridge/mod.ts': "export { a } from '../base/mod.ts';\n",
    });
    expect(output).toBe('0\n2 modules, 1 imports, 0 violations\n');
  });

  test('fails on one that points up, one behind a mod.ts, a circle, and one to nowhere', async () => {
    const output = await cruise({
      'platform/base/mod.ts': "import '../bridge/mod.ts';\nimport './gone.ts';\n",
      'platform/bridge/mod.ts': "import '../base/mod.ts';\nexport const a = 1;\n",
      'platform/group/mod.ts': "import '../bridge/hidden.ts';\n",
      'platform/bridge/hidden.ts': 'export const b = 1;\n',
    });
    expect(output).toMatch(/^1\n/);
    expect(output).toContain('arrow-from-platform/base: platform/base/mod.ts');
    expect(output).toContain('not-behind-mod: platform/group/mod.ts -> platform/bridge/hidden.ts');
    expect(output).toContain('no-circle: ');
    expect(output).toContain('resolvable: platform/base/mod.ts -> ./gone.ts');
  });

  test('fails when it sees nothing', async () => {
    expect(await cruise({ 'platform/readme.md': '' })).toMatch(/^1\n.*no modules/);
  });
});

describe('C++', () => {
  const nativeRooms: Readonly<Record<string, readonly string[]>> = {
    core: [],
    io: ['core'],
    agent: ['core', 'io'],
    binding: ['core', 'io', 'agent'],
    bench: ['core', 'io', 'agent'],
  };
  const sources = files.filter((path) => /^native\/.*\.(h|cc)$/.test(path));

  function listIncludes(path: string): readonly string[] {
    const pattern = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm;
    return [...readRepositoryFile(path).matchAll(pattern)].map(([, name = '']) => name);
  }

  test('includes point down only', () => {
    const upward = sources.flatMap((path) => {
      const room = path.split('/')[1] ?? '';
      const allowed = [room, ...(nativeRooms[room] ?? [])];
      return listIncludes(path)
        .filter((name) => name.startsWith('native/') && !allowed.includes(name.split('/')[1] ?? ''))
        .map((name) => `${path} -> ${name}`);
    });
    expect(upward).toEqual([]);
  });

  test('the core knows no socket, thread, clock, file or Node header', () => {
    // Memory pages and the processor's features are no such thing.
    const allowed = new Set(['sys/auxv.h', 'sys/mman.h']);
    const folders = /^(sys|arpa|netinet|net|linux|rdma|infiniband)\//;
    const node = /^(node|napi|uv\.h|v8)/;
    const headers = new Set(
      'thread mutex condition_variable future semaphore chrono ctime time.h fstream filesystem \
      iostream unistd.h fcntl.h pthread.h poll.h random'.split(/\s+/),
    );
    const isOutside = (name: string) =>
      !allowed.has(name) && (folders.test(name) || node.test(name) || headers.has(name));
    const wrong = sources
      .filter((path) => path.startsWith('native/core/'))
      .flatMap((path) =>
        listIncludes(path)
          .filter(isOutside)
          .map((name) => `${path} -> ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  test('only the binding knows Node', () => {
    const wrong = sources
      .filter((path) => !path.startsWith('native/binding/'))
      .filter((path) => listIncludes(path).some((name) => /^(node_api|napi|js_native)/.test(name)));
    expect(wrong).toEqual([]);
  });
});
