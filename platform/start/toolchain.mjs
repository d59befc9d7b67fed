// The compiler and cmake: found on the PATH, else installed through the system's package manager
// where rights allow, else named with the command to run.
import { findProgram, runTool } from './programs.mjs';
import { say, step, Stop, tail } from './report.mjs';

const tools = [
  { name: 'a C++ compiler', programs: ['g++', 'clang++', 'c++'], part: 'compiler' },
  { name: 'cmake', programs: ['cmake'], part: 'cmake' },
  { name: 'make or ninja', programs: ['ninja', 'make'], part: 'make' },
];

const managers = [
  {
    program: 'apt-get',
    parts: { compiler: 'g++', cmake: 'cmake', make: 'make' },
    before: ['update', '-qq'],
    install: ['install', '-y', '-qq', '--no-install-recommends'],
  },
  {
    program: 'dnf',
    parts: { compiler: 'gcc-c++', cmake: 'cmake', make: 'make' },
    install: ['install', '-y', '-q'],
  },
  {
    program: 'zypper',
    parts: { compiler: 'gcc-c++', cmake: 'cmake', make: 'make' },
    install: ['--non-interactive', 'install'],
  },
  {
    program: 'pacman',
    parts: { compiler: 'gcc', cmake: 'cmake', make: 'make' },
    install: ['-S', '--noconfirm', '--needed'],
  },
  {
    program: 'brew',
    parts: { compiler: 'gcc', cmake: 'cmake', make: 'make' },
    install: ['install'],
    rootless: true,
  },
];

/** Makes sure that the native part can be built. Throws Stop when it cannot. */
export async function ensureToolchain(root) {
  const missing = tools.filter((tool) => findProgram(tool.programs) === null);
  if (missing.length === 0) {
    return;
  }
  const names = missing.map((tool) => tool.name).join(', ');
  const manager = managers.find((candidate) => findProgram([candidate.program]) !== null);
  if (manager === undefined) {
    throw new Stop('Missing: ' + names + '. Install g++, cmake and make, then try again.');
  }
  const packages = missing.map((tool) => manager.parts[tool.part]);
  const command = [manager.program].concat(manager.install, packages);
  const prefix = await rightsPrefix(root, manager);
  if (prefix === null) {
    throw new Stop('Missing: ' + names + '. Run: sudo ' + command.join(' ') + ' and try again.');
  }
  say('missing: ' + names + '; installing through ' + manager.program + ': ' + packages.join(' '));
  await step('install ' + packages.join(' '), () => install(root, manager, prefix, command));
  const still = tools.filter((tool) => findProgram(tool.programs) === null);
  if (still.length > 0) {
    throw new Stop('Still missing: ' + still.map((tool) => tool.name).join(', ') + '.');
  }
}

async function install(root, manager, prefix, command) {
  const options = { cwd: root, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  const run = (words) => {
    const all = prefix.concat(words);
    return runTool(all[0], all.slice(1), options);
  };
  if (manager.before !== undefined) {
    await run([manager.program].concat(manager.before));
  }
  const result = await run(command);
  if (result.code !== 0) {
    const sentence = 'The installation failed. Run: ' + command.join(' ') + ' and try again.';
    throw new Stop(sentence, tail(result.output, 15));
  }
}

/** The words to put before a command so that it may install, or null when we lack the right. */
async function rightsPrefix(root, manager) {
  if (manager.rootless || process.getuid() === 0) {
    return [];
  }
  if (findProgram(['sudo']) === null) {
    return null;
  }
  const asked = await runTool('sudo', ['-n', 'true'], { cwd: root });
  return asked.code === 0 ? ['sudo', '-n'] : null;
}
