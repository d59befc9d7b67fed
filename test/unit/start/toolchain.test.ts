import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireTool, type Skippable } from '../../support/mod.ts';
import { Clone } from './clone.ts';

const cmake = `
cmake_minimum_required(VERSION 3.18)
project(tiny LANGUAGES CXX)
add_library(freshet_addon MODULE binding/tiny.cc)
set_target_properties(freshet_addon PROPERTIES PREFIX "" SUFFIX ".node" OUTPUT_NAME freshet)
`;

async function makeNativeClone(): Promise<Clone> {
  const clone = await Clone.make();
  await clone.addNpm();
  await clone.write('native/CMakeLists.txt', cmake);
  await clone.write('native/binding/tiny.cc', 'extern "C" int answer() { return 42; }\n');
  return clone;
}

/** Scripts that stand for the real tools, which need more on their PATH than the clone has. */
async function addTools(context: Skippable, clone: Clone, folder: string): Promise<void> {
  for (const name of ['g++', 'cmake', 'make'] as const) {
    const log = `echo ${name} >> "${clone.root}/calls"`;
    const real = requireTool(context, name);
    const body = `${log}; PATH="$PATH:/usr/bin:/bin" exec ${real} "$@"`;
    await clone.addScript(`../${folder}/${name}`, body);
  }
}

const addon = `prebuilds/${process.platform}-${process.arch}/freshet.node`;

describe('the native part', () => {
  test('is built once, and again when its sources differ', async (context) => {
    const clone = await makeNativeClone();
    await addTools(context, clone, 'bin');
    expect((await clone.run(['build'])).stderr).toContain('made packages, native, typescript');
    expect((await clone.read(addon)).length).toBeGreaterThan(1000);
    const calls = await clone.read('calls');
    expect((await clone.run(['build'])).stderr).toContain('nothing changed');
    expect(await clone.read('calls')).toBe(calls);
    await clone.write('native/binding/tiny.cc', 'extern "C" int other() { return 43; }\n');
    expect((await clone.run(['build'])).stderr).toContain('made native');
  });

  test('that does not compile is told with what the compiler said', async (context) => {
    const clone = await makeNativeClone();
    await addTools(context, clone, 'bin');
    await clone.write('native/binding/tiny.cc', 'int broken( {\n');
    const { code, stderr } = await clone.run(['build']);
    expect(code).toBe(1);
    expect(stderr).toContain('tiny.cc:1');
    expect(stderr).toContain('The native part could not be built');
  });
});

describe('a missing compiler', () => {
  test('is named when no package manager is known', async () => {
    const clone = await makeNativeClone();
    const { code, stderr } = await clone.run(['build']);
    expect(code).toBe(1);
    expect(stderr).toContain(
      'Missing: a C++ compiler, cmake, make or ninja. Install g++, cmake and make, then try again.',
    );
  });

  test('is named with the command when we lack the right to install', async () => {
    const clone = await makeNativeClone();
    await clone.addScript('apt-get', 'exit 1');
    const asUser = encodeURIComponent('process.getuid = () => 1000');
    const { code, stderr } = await clone.run(['build'], asUser);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Run: sudo apt-get install .* g\+\+ cmake make and try again\./);
  });

  test('is installed, saying so first, and the build goes on', async (context) => {
    const clone = await makeNativeClone();
    await addTools(context, clone, 'store');
    const lay = `/bin/cp ${join(clone.root, 'store')}/* ${clone.bin}`;
    const body = `echo "$*" >> "${clone.root}/apt-calls"; [ "$1" = update ] || ${lay}`;
    await clone.addScript('apt-get', body);
    await clone.addScript('sudo', 'shift; exec "$@"');
    await clone.addLink('true', '/bin/true');
    const { code, stderr } = await clone.run(['build']);
    expect(stderr).toContain('installing through apt-get: g++ cmake make');
    expect(code).toBe(0);
    const calls = await clone.read('apt-calls');
    expect(calls).toBe('update -qq\ninstall -y -qq --no-install-recommends g++ cmake make\n');
    expect((await clone.read(addon)).length).toBeGreaterThan(1000);
  });

  test('that could not be installed is told with what the package manager said', async () => {
    const clone = await makeNativeClone();
    await clone.addScript('apt-get', 'echo "E: no network"; exit 100');
    await clone.addScript('sudo', 'shift; exec "$@"');
    await clone.addLink('true', '/bin/true');
    const { code, stderr } = await clone.run(['build']);
    expect(code).toBe(1);
    expect(stderr).toContain('E: no network');
    expect(stderr).toContain('The installation failed. Run: apt-get install');
  });
});
