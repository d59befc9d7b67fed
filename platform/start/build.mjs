// What is built from what, and where it is laid:
//   packages    package-lock.json              node_modules/
//   native      native/**, test/native/**      prebuilds/<platform>-<arch>/freshet.node
//   typescript  **/*.ts, and what they read    dist/
//   dashboard   platform/gateway/dashboard/**  dist/dashboard/
// Each part carries a stamp, the hash of all it was made from, and is made anew only when that
// differs.
import fs from 'fs';
import os from 'os';
import path from 'path';
import { fingerprint, isStamped, listFiles, writeStamp } from './fingerprint.mjs';
import { withBuildLock } from './lock.mjs';
import { findProgram, runToolOrStop } from './programs.mjs';
import { asStop, step } from './report.mjs';
import { ensureToolchain } from './toolchain.mjs';

const sourceFolders = ['platform', 'udl', 'pipelines', 'examples', 'test'];
const dashboardFolder = 'platform/gateway/dashboard';
const transpiler = 'platform/start/transpile.mjs';
const assets = /\.(json|proto|onnx|csv|html|svg|jpg|png)$/;
const target = process.platform + '-' + process.arch;

/**
 * Makes everything that is not as its sources are, in order. `wants.nativeTests` also builds the
 * native test programs. Resolves with the names of the parts that were made.
 */
export async function build(root, wants) {
  const made = [];
  const isStale = (part) => !isStamped(part.stampFile, part.wanted());
  const parts = describeParts(root, wants);
  if (!parts.some(isStale)) {
    return made;
  }
  try {
    await withBuildLock(root, async () => {
      for (const part of parts) {
        // Asked again: another process may have built it, or the part before have changed it.
        if (isStale(part)) {
          const wanted = part.wanted();
          await part.prepare();
          await step(part.title, part.make);
          writeStamp(part.stampFile, wanted);
          made.push(part.name);
        }
      }
    });
  } catch (error) {
    throw asStop(error);
  }
  return made;
}

function describeParts(root, wants) {
  const parts = [describePackages(root)];
  if (hasAddon(root)) {
    parts.push(describeAddon(root));
    if (wants.nativeTests) {
      parts.push(describeNativeTests(root));
    }
  }
  parts.push(describeTypeScript(root));
  if (fs.existsSync(path.join(root, dashboardFolder, 'vite.config.ts'))) {
    parts.push(describeDashboard(root));
  }
  return parts;
}

function describePackages(root) {
  const major = process.versions.node.split('.')[0];
  const words = ['node ' + major, target];
  // npm itself is run by the Node that runs us, not by the first on the PATH.
  const cli = process.env.npm_execpath || '';
  const command = path.basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const sentence =
    'npm could not install the packages: check that the registry can be reached, then try again.';
  return {
    name: 'packages',
    title: 'install packages',
    stampFile: path.join(root, 'node_modules', '.freshet-stamp'),
    wanted: () => fingerprint(root, ['package-lock.json'], words),
    prepare: () => Promise.resolve(),
    make: () =>
      runToolOrStop(
        command[0],
        command.slice(1).concat(args),
        { cwd: root, env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } },
        sentence,
      ),
  };
}

function hasAddon(root) {
  const isSource = (file) => file.endsWith('.cc');
  return listFiles(root, ['native/binding'], isSource).length > 0;
}

function nativeWanted(root, folders) {
  const isSource = (file) => file.endsWith('/') || /\.(h|cc|c|cmake|txt)$/.test(file);
  const files = listFiles(root, folders, isSource);
  const headers = ['node-addon-api', 'node-api-headers'].map(
    (name) => 'node_modules/' + name + '/package.json',
  );
  return fingerprint(root, files.concat(headers), [target, root]);
}

function describeAddon(root) {
  const folder = path.join(root, 'prebuilds', target);
  return {
    name: 'native',
    title: 'build the native part',
    stampFile: path.join(folder, 'stamp'),
    wanted: () => nativeWanted(root, ['native']),
    prepare: () => ensureToolchain(root),
    make: async () => {
      await runCMake(root, 'freshet_addon');
      const built = listFiles(root, ['build/native'], (file) => /\/$|\/freshet\.node$/.test(file));
      fs.mkdirSync(folder, { recursive: true });
      // Renamed into place, since a running member may have the old file mapped.
      const fresh = path.join(folder, 'freshet.node.new');
      fs.copyFileSync(path.join(root, built[0]), fresh);
      fs.renameSync(fresh, path.join(folder, 'freshet.node'));
    },
  };
}

function describeNativeTests(root) {
  return {
    name: 'native tests',
    title: 'build the native tests',
    stampFile: path.join(root, 'build', 'native', 'tests-stamp'),
    wanted: () => nativeWanted(root, ['native', 'test/native']),
    prepare: () => ensureToolchain(root),
    make: () => runCMake(root, 'all'),
  };
}

async function runCMake(root, goal) {
  const folder = path.join(root, 'build', 'native');
  discardForeignCache(folder, root);
  const nodeModules = path.join(root, 'node_modules');
  const configure = [
    '-S',
    path.join(root, 'native'),
    '-B',
    folder,
    '-DCMAKE_BUILD_TYPE=Release',
    '-DFRESHET_TESTS=ON',
    '-DFRESHET_NODE_API_HEADERS=' + path.join(nodeModules, 'node-api-headers', 'include'),
    '-DFRESHET_NODE_ADDON_API=' + path.join(nodeModules, 'node-addon-api'),
  ];
  if (!fs.existsSync(path.join(folder, 'CMakeCache.txt')) && findProgram(['ninja']) !== null) {
    configure.push('-G', 'Ninja');
  }
  const options = { cwd: root };
  const sentence = 'The native part could not be built; the compiler said why above.';
  await runToolOrStop('cmake', configure, options, sentence);
  const args = ['--build', folder, '--target', goal, '-j', String(jobCount())];
  await runToolOrStop('cmake', args, options, sentence);
}

/** A build folder that was configured elsewhere (a moved or copied clone) is of no use. */
function discardForeignCache(folder, root) {
  const cache = path.join(folder, 'CMakeCache.txt');
  if (!fs.existsSync(cache)) {
    return;
  }
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(fs.readFileSync(cache, 'utf8'));
  if (home === null || home[1] !== path.join(root, 'native')) {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** One compiler takes up to 1 GiB. */
function jobCount() {
  const byMemory = Math.floor(os.freemem() / (1 << 30));
  const asked = Number(process.env.FRESHET_JOBS || 0);
  return asked > 0 ? asked : Math.max(1, Math.min(os.cpus().length, byMemory));
}

function isTypeScript(file) {
  return file.endsWith('.ts') && !file.endsWith('.d.ts');
}

function isDistInput(file) {
  if (file.indexOf(dashboardFolder + '/') === 0) {
    return false;
  }
  const isAsset = assets.test(file) && file.indexOf('test/') !== 0;
  return file.endsWith('/') || isTypeScript(file) || isAsset;
}

function describeTypeScript(root) {
  const dist = path.join(root, 'dist');
  const inputs = () => listFiles(root, sourceFolders, isDistInput);
  return {
    name: 'typescript',
    title: 'compile TypeScript',
    stampFile: path.join(dist, '.stamp'),
    wanted: () =>
      fingerprint(root, inputs().concat('tsconfig.json', 'package-lock.json', transpiler), []),
    prepare: () => Promise.resolve(),
    make: async () => {
      const files = inputs();
      await transpile(root, files);
      copyAssets(root, dist, files);
      removeOrphans(dist, files);
    },
  };
}

function transpile(root, files) {
  const program = path.join(root, transpiler);
  const input = files.filter(isTypeScript).join('\n');
  const sentence = 'The TypeScript sources could not be compiled.';
  return runToolOrStop(process.execPath, [program], { cwd: root, input }, sentence);
}

/** Lays the files that programs read at run time beside the compiled ones. */
function copyAssets(root, dist, files) {
  for (const file of files.filter((name) => !isTypeScript(name))) {
    const to = path.join(dist, file);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(path.join(root, file), to);
  }
}

/** Takes away what was made from sources that are gone. */
function removeOrphans(dist, files) {
  const outputs = files.map((file) => (isTypeScript(file) ? file.slice(0, -3) + '.js' : file));
  const expected = new Set(outputs);
  for (const file of listFiles(dist, sourceFolders, () => true)) {
    if (!expected.has(file)) {
      fs.unlinkSync(path.join(dist, file));
    }
  }
}

function describeDashboard(root) {
  const out = path.join(root, 'dist', 'dashboard');
  const vite = path.join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const args = [vite, 'build', dashboardFolder, '--outDir', out, '--emptyOutDir'];
  const inputs = () => listFiles(root, [dashboardFolder], () => true).concat('package-lock.json');
  return {
    name: 'dashboard',
    title: 'bundle the dashboard',
    stampFile: path.join(out, '.stamp'),
    wanted: () => fingerprint(root, inputs(), []),
    prepare: () => Promise.resolve(),
    make: () =>
      runToolOrStop(process.execPath, args, { cwd: root }, 'The dashboard could not be bundled.'),
  };
}
