// The commands of the start script.
import fs from 'fs';
import path from 'path';
import { build } from './build.mjs';
import { check, format } from './check.mjs';
import { findMachineProblem } from './machine.mjs';
import { runProgram } from './programs.mjs';
import { now, say, Stop } from './report.mjs';

// Not import.meta, which is newer than ES2019.
const root = path.dirname(path.dirname(fs.realpathSync(process.argv[1])));

const commands = {
  start: async (args) => {
    await ready({ nativeTests: false });
    return runCompiled('platform/cli/main.ts', ['dev'].concat(args), { lifeline: true });
  },
  test: async (args) => {
    await ready({ nativeTests: true });
    const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const words = [vitest, 'run', '--config', path.join(root, 'test/config/vitest.config.ts')];
    return runProgram(process.execPath, words.concat(args), {
      cwd: root,
      env: { FRESHET_TEST_COMPILED: '1' },
    });
  },
  build: async () => {
    await ready({ nativeTests: false });
    return 0;
  },
  check: async () => {
    await ready({ nativeTests: false });
    return check(root);
  },
  format: (args) => format(root, args),
  rdma: async () => {
    await ready({ nativeTests: true });
    return runCompiled('test/rdma/main.ts', []);
  },
  run: async (args) => {
    await ready({ nativeTests: false });
    return runCompiled(args[0], args.slice(1));
  },
};

export async function main(words) {
  try {
    const problem = findMachineProblem();
    if (problem !== null) {
      throw new Stop(problem);
    }
    const command = Object.keys(commands).indexOf(words[0]) === -1 ? null : commands[words[0]];
    if (command === null) {
      throw new Stop('Usage: node platform/start.mjs ' + Object.keys(commands).join('|'));
    }
    process.exitCode = await command(words.slice(1));
  } catch (error) {
    if (!(error instanceof Stop)) {
      throw error;
    }
    if (error.output !== '') {
      process.stderr.write(error.output + '\n');
    }
    say(error.message);
    process.exitCode = 1;
  }
}

async function ready(wants) {
  const start = now();
  const made = await build(root, wants);
  const what = made.length === 0 ? 'nothing changed' : 'made ' + made.join(', ');
  say('ready (' + what + '): ' + (now() - start).toFixed(2) + ' s');
}

/** Runs what a TypeScript file of ours was compiled to. */
function runCompiled(source, args, options) {
  const file = path.join(root, 'dist', String(source).replace(/\.ts$/, '.js'));
  if (!fs.existsSync(file)) {
    throw new Stop('There is no program ' + source + ' in this clone.');
  }
  return runProgram(
    process.execPath,
    [file].concat(args),
    Object.assign({ cwd: process.cwd() }, options),
  );
}
