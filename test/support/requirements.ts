import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { TestContext } from 'vitest';
import { repositoryRoot } from './repository.ts';

/** What tests may ask of the machine, and the Debian package that has it. */
const packageOf = {
  'clang++': 'clang',
  'clang-format': 'clang-format',
  'clang-tidy': 'clang-tidy',
  'g++': 'g++',
  chromium: 'chromium',
  cmake: 'cmake',
  ctest: 'cmake',
  git: 'git',
  ip: 'iproute2',
  make: 'make',
  ninja: 'ninja-build',
  openssl: 'openssl',
  python3: 'python3',
  tc: 'iproute2',
  unshare: 'util-linux',
} as const;

export type ToolName = keyof typeof packageOf;

/** The part of a test's context that is needed to skip it. */
export type Skippable = Pick<TestContext, 'skip'>;

/**
 * The path of a program. Without it the test is skipped with a line naming the command that enables
 * it; with FRESHET_TEST_REQUIRE=all it fails instead.
 */
export function requireTool(context: Skippable, name: ToolName): string {
  const found = findTool(name);
  if (found === null) {
    return missing(context, `${name} is missing`, `sudo apt-get install ${packageOf[name]}`);
  }
  return found;
}

/** As `requireTool`, for anything else that a machine may lack: headers, rights, a device. */
export function requireThat(
  context: Skippable,
  holds: boolean,
  reason: string,
  enable: string,
): void {
  if (!holds) {
    missing(context, reason, enable);
  }
}

/**
 * The absolute path of outside test data: below FRESHET_TEST_DATA, else below ../shared/data beside
 * the repository. Data that is not there is a skip in any case, since not everybody may have it.
 */
export function testData(context: Skippable, ...parts: readonly string[]): string {
  const folder = process.env['FRESHET_TEST_DATA'] ?? join(repositoryRoot, '..', 'shared', 'data');
  const path = join(folder, ...parts);
  if (!existsSync(path)) {
    const what = join('…', ...parts);
    return context.skip(
      note(`outside data ${what} is absent`, 'FRESHET_TEST_DATA=<folder> npm test'),
    );
  }
  return path;
}

export function findTool(name: ToolName): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function missing(context: Skippable, reason: string, enable: string): never {
  if (process.env['FRESHET_TEST_REQUIRE'] === 'all') {
    throw new Error(`${note(reason, enable)} (FRESHET_TEST_REQUIRE=all forbids the skip)`);
  }
  return context.skip(note(reason, enable));
}

function note(reason: string, enable: string): string {
  return `${reason}; to enable: ${enable}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
