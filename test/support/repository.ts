import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository, without a slash at its end; alike from source and from dist. */
export const repositoryRoot = findRoot(fileURLToPath(new URL('.', import.meta.url)));

/** Paths of all files that are in the repository or would be with the next commit. */
export function listRepositoryFiles(): readonly string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const output = execFileSync('git', args, { cwd: repositoryRoot, maxBuffer: 64 * 1024 * 1024 });
  const names = output
    .toString()
    .split('\0')
    .filter((name) => name !== '');
  // One that is deleted and not yet committed is still listed.
  return [...new Set(names)].filter((name) => existsSync(join(repositoryRoot, name))).sort();
}

export function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}

/**
 * Absolute path of a TypeScript file of the repository as it is to be run: `npm test` compiles all
 * of them and says so, as what is compiled starts four times as fast as the source.
 */
export function programFile(file: string): string {
  const isCompiled = process.env['FRESHET_TEST_COMPILED'] === '1';
  return join(repositoryRoot, isCompiled ? `dist/${file.replace(/\.ts$/, '.js')}` : file);
}

/** What Node is given to run it with these words. */
export function programArgs(file: string, ...words: readonly string[]): string[] {
  const place = programFile(file);
  return place.endsWith('.ts') ? ['--import', 'tsx', place, ...words] : [place, ...words];
}

function findRoot(from: string): string {
  const isRoot = existsSync(join(from, 'package-lock.json'));
  return isRoot ? from.replace(/\/$/, '') : findRoot(join(from, '..'));
}
