/** Runs test files by name, each once, as `npm test` does, and tells how their tests ended. */
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnBounded } from './spawn.ts';

export interface TestOutcome {
  /** Titles of the groups around it and its own, joined by blanks. */
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly message: string;
}

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

const timeoutMs = 600_000;

export class VitestFiles {
  readonly #root: string;
  readonly #files = new Map<string, Promise<readonly TestOutcome[]>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** All tests of a file, named relative to the repository; rejects when it cannot be loaded. */
  outcomes(file: string): Promise<readonly TestOutcome[]> {
    const known = this.#files.get(file) ?? this.#run(file);
    this.#files.set(file, known);
    return known;
  }

  async #run(file: string): Promise<readonly TestOutcome[]> {
    const name = `freshet-accept-${String(process.pid)}-${file.replaceAll('/', '-')}.json`;
    const report = join(tmpdir(), name);
    // As `npm test`, which builds the native programs that tests run.
    const start = join(this.#root, 'platform', 'start.mjs');
    const args = [start, 'test', '--reporter=json', `--outputFile=${report}`, file];
    try {
      const { stderr } = await spawnBounded(process.execPath, args, {
        cwd: this.#root,
        timeoutMs,
      });
      const { testResults } = await readReport(report, stderr);
      return testResults.flatMap(({ assertionResults, message }) => {
        if (assertionResults.length === 0) throw new Error(`${file} could not be run: ${message}`);
        return assertionResults.map(({ fullName, status, failureMessages }) => ({
          name: fullName,
          status: status === 'passed' || status === 'failed' ? status : 'skipped',
          message: failureMessages?.[0]?.split('\n')[0] ?? '',
        }));
      });
    } finally {
      await rm(report, { force: true });
    }
  }
}

async function readReport(file: string, stderr: string): Promise<Report> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Report;
  } catch (cause) {
    const words = stderr.trim().split('\n').slice(-3).join(' ');
    throw new Error(`the tests left no report: ${words}`, { cause });
  }
}
