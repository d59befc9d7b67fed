import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  type Ending,
  type Program,
  repositoryRoot,
  spawnProgram,
  tempFolder,
} from '../../support/mod.ts';

/**
 * A small repository with the real start script in it, and a PATH of its own that holds only what
 * the test puts there.
 */
export class Clone {
  readonly root: string;
  readonly bin: string;

  private constructor(root: string) {
    this.root = root;
    this.bin = join(root, 'bin');
  }

  static async make(): Promise<Clone> {
    const clone = new Clone(await tempFolder('start'));
    for (const path of ['platform/start.mjs', 'platform/start', 'tsconfig.json']) {
      await cp(join(repositoryRoot, path), join(clone.root, path), { recursive: true });
    }
    await clone.write('package.json', '{ "name": "clone", "type": "module" }\n');
    await clone.write('package-lock.json', '{ "lockfileVersion": 3 }\n');
    await clone.write('platform/cli/main.ts', "console.log('never reached');\n");
    await mkdir(clone.bin);
    return clone;
  }

  async write(path: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.root, path)), { recursive: true });
    await writeFile(join(this.root, path), text);
  }

  async read(path: string): Promise<string> {
    return readFile(join(this.root, path), 'utf8');
  }

  /** Puts a shell script on the clone's PATH. */
  async addScript(name: string, body: string): Promise<void> {
    await this.write(`bin/${name}`, `#!/bin/sh\n${body}\n`);
    await chmod(join(this.bin, name), 0o755);
  }

  async addLink(name: string, target: string): Promise<void> {
    await symlink(target, join(this.bin, name));
  }

  /** An npm that notes each call and lays links to the packages that builds need. */
  async addNpm(): Promise<void> {
    const packages = join(repositoryRoot, 'node_modules');
    const body = [
      `echo "$* [$ONNXRUNTIME_NODE_INSTALL]" >> "${this.root}/npm-calls"`,
      'echo "npm says this on standard output"',
      'rm -rf node_modules && mkdir node_modules',
      `for name in esbuild @esbuild node-addon-api node-api-headers; do`,
      `  ln -s "${packages}/$name" "node_modules/$name"`,
      'done',
    ];
    await this.addScript('npm', body.join('\n'));
    for (const tool of ['rm', 'mkdir', 'ln', 'sh']) {
      await this.addLink(tool, `/bin/${tool}`);
    }
  }

  async npmCalls(): Promise<readonly string[]> {
    const text = await this.read('npm-calls').catch(() => '');
    return text.split('\n').filter((line) => line !== '');
  }

  /** Starts the start script. `preload` is run in it first. */
  spawn(args: readonly string[], preload: string | null = null): Program {
    const imports = preload === null ? [] : ['--import', `data:text/javascript,${preload}`];
    const words = [...imports, join(this.root, 'platform/start.mjs'), ...args];
    return spawnProgram(process.execPath, words, {
      cwd: this.root,
      env: { PATH: this.bin, npm_execpath: null, FRESHET_JOBS: null, CXX: null },
    });
  }

  run(args: readonly string[], preload: string | null = null): Promise<Ending> {
    return this.spawn(args, preload).ended;
  }
}
