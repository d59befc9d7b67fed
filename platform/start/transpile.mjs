// Takes the types out of the TypeScript files named on standard input, one path a line: each
// becomes one module of its own, dist/<path>.js. Types are checked by `npm run check`. Run by
// build.mjs as a program of its own, since it needs an installed package.
import { build } from 'esbuild';

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

const result = await build({
  entryPoints: files,
  outbase: '.',
  outdir: 'dist',
  bundle: true,
  treeShaking: false,
  plugins: [keepImports],
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  tsconfig: 'tsconfig.json',
  logLevel: 'warning',
}).catch(() => null);
process.exitCode = result === null ? 1 : 0;

async function readAll(stream) {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    text += chunk;
  }
  return text;
}
