// Takes the types out of the TypeScript files named on standard input, one path a line: each
// becomes one module of its own, dist/<path>.js. Then the programs that a start waits for, and what
// the rooms of the platform give to others, are laid over theirs as few files, with what they share
// in dist/chunks: a process that reads 400 modules takes three times as long to begin, and a member
// starts a dozen threads. Types are checked by `npm run check`. Run by build.mjs as a program of its
// own, since it needs an installed package.
import { rmSync } from 'fs';
import { build } from 'esbuild';

const programs = [
  'platform/serving-member.ts',
  'platform/cli/main.ts',
  'platform/lambda/worker-main.ts',
  'pipelines/dairy/demo/main.ts',
  'test/support/cluster-member.ts',
  'test/support/weighed-member.ts',
  'test/support/bank-program.ts',
  'test/support/radio-program.ts',
  'test/interaction/member/main.ts',
  'test/bench/member/main.ts',
  'test/bench/member/view-member.ts',
];
// Packages of many small modules; all others stay where they are.
const folded = /^(typebox|@msgpack\/msgpack|@bufbuild\/protobuf)(\/|$)/;

const files = (await readAll(process.stdin)).split('\n').filter(Boolean);

// Nothing is pulled in: every import stays, and one of a `.ts` file names its `.js` file.
const keepImports = {
  name: 'keep-imports',
  setup(context) {
    context.onResolve({ filter: /.*/ }, ({ kind, path }) =>
      kind === 'entry-point'
        ? null
        : { path: path.replace(/^(\..*)\.ts$/, '$1.js'), external: true },
    );
  },
};

// Only a program itself does anything by being imported, so what it does not use is left out.
const foldPackages = {
  name: 'fold-packages',
  setup(context) {
    context.onResolve(
      { filter: /.*/ },
      async ({ kind, path, importer, resolveDir, pluginData }) => {
        if (kind === 'entry-point' || pluginData === foldPackages) {
          return null;
        }
        if (!/^[./]/.test(path) && !folded.test(path) && importer.indexOf('node_modules') === -1) {
          return { path, external: true, sideEffects: false };
        }
        const found = await context.resolve(path, {
          kind,
          importer,
          resolveDir,
          pluginData: foldPackages,
        });
        return {
          path: found.path,
          errors: found.errors,
          external: found.external,
          sideEffects: false,
        };
      },
    );
  },
};

const common = {
  outbase: '.',
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  tsconfig: 'tsconfig.json',
  logLevel: 'warning',
};
// What is imported from outside a room is one copy for all, folded or not.
const isRoom = (file) => /^platform\/\w+\/mod\.ts$/.test(file);
const present = files.filter((file) => programs.includes(file) || isRoom(file));
process.exitCode = (await isBuilt()) ? 0 : 1;

async function isBuilt() {
  try {
    await build({ ...common, entryPoints: files, treeShaking: false, plugins: [keepImports] });
    rmSync('dist/chunks', { recursive: true, force: true });
    await build({
      ...common,
      entryPoints: present,
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      plugins: [foldPackages],
    });
    return true;
  } catch (error) {
    // Told by esbuild already.
    return false;
  }
}

async function readAll(stream) {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    text += chunk;
  }
  return text;
}
