// `npm run check` and `npm run format`: everything a machine can say about the sources.
import fs from 'fs';
import os from 'os';
import path from 'path';
import { listFiles } from './fingerprint.mjs';
import { findProgram, runTool } from './programs.mjs';
import { now, say } from './report.mjs';

const budgetS = 90;

/**
 * Runs every check, two at a time, shows what the failed ones said. Resolves with the exit code.
 */
export async function check(root) {
  const start = now();
  const waiting = describeChecks(root);
  const failed = [];
  const runNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const begun = now();
      const result = await runTool(next.command, next.args, { cwd: root });
      const verdict = result.code === 0 ? 'passed' : 'FAILED';
      say('check ' + next.name + ': ' + verdict + ', ' + (now() - begun).toFixed(1) + ' s');
      if (result.code !== 0) {
        failed.push(next.name);
        process.stderr.write(result.output.trim() + '\n');
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, os.cpus().length) }, runNext));
  const seconds = (now() - start).toFixed(1) + ' s of ' + budgetS + ' s';
  say(failed.length === 0 ? 'all checks passed, ' + seconds : 'failed: ' + failed.join(', '));
  return failed.length === 0 ? 0 : 1;
}

/** Formats the given paths, or everything. Resolves with the exit code. */
export async function format(root, paths) {
  const places = paths.length === 0 ? ['.'] : paths;
  const args = [tool(root, 'prettier/bin/prettier.cjs'), '--write', '--log-level', 'warn'];
  const options = ['--ignore-unknown', '--no-error-on-unmatched-pattern'];
  const pretty = await runTool(process.execPath, args.concat(options, places), { cwd: root });
  process.stderr.write(pretty.output);
  const sources = nativeSources(root).filter((file) =>
    places.some((place) => place === '.' || file.indexOf(path.normalize(place)) === 0),
  );
  if (sources.length === 0 || findProgram(['clang-format']) === null) {
    return pretty.code;
  }
  const native = await runTool('clang-format', clangArgs(root).concat('-i', sources), {
    cwd: root,
  });
  process.stderr.write(native.output);
  return pretty.code || native.code;
}

function describeChecks(root) {
  const node = (name, args) => ({ name, command: process.execPath, args });
  const cruise = ['platform', 'udl', 'pipelines', 'examples', 'test'].filter((folder) =>
    fs.existsSync(path.join(root, folder)),
  );
  const checks = [
    node('lint', [
      tool(root, 'eslint/bin/eslint.js'),
      '--config',
      config('eslint.config.mjs'),
      '.',
    ]),
    node('types', [tool(root, 'typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json']),
    node('format', [
      tool(root, 'prettier/bin/prettier.cjs'),
      '--check',
      '--log-level',
      'warn',
      '.',
    ]),
    node('arrows', ['--import', 'tsx', config('check-arrows.ts')].concat(cruise)),
    node('protobuf', [tool(root, '@bufbuild/buf/bin/buf'), 'lint', 'platform/wire']),
    node('unused', [tool(root, 'knip/bin/knip.js'), '--config', config('knip.json')]),
  ];
  const sources = nativeSources(root);
  if (findProgram(['clang-format']) === null) {
    say('check native format: skipped, clang-format is missing (apt-get install clang-format)');
  } else if (sources.length > 0) {
    const args = clangArgs(root).concat('--dry-run', '--Werror', sources);
    checks.push({ name: 'native format', command: 'clang-format', args });
  }
  return checks;
}

function nativeSources(root) {
  const isSource = (file) => file.endsWith('/') || /\.(h|cc)$/.test(file);
  return listFiles(root, ['native', 'test/native'], isSource);
}

function clangArgs(root) {
  return ['--style=file:' + path.join(root, 'native', '.clang-format')];
}

function config(name) {
  return path.join('test', 'config', name);
}

function tool(root, file) {
  return path.join(root, 'node_modules', file);
}
