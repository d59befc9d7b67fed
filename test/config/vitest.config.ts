import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SkipReporter } from './skip-reporter.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const second = 1000;

/** One folder of tests. Groups run one after the other, the files of a group side by side. */
interface Suite {
  readonly name: string;
  readonly group: number;
  readonly workers: number;
  readonly timeoutMs: number;
}

const suites: readonly Suite[] = [
  ...['unit', 'tidy', 'bridge', 'native'].map((name) => ({
    name,
    group: 0,
    workers: 2,
    timeoutMs: 60 * second,
  })),
  { name: 'simulation', group: 1, workers: 2, timeoutMs: 120 * second },
  // Real members on a few cores: one file at a time.
  { name: 'integration', group: 2, workers: 2, timeoutMs: 120 * second },
  // Clusters of processes: one at a time.
  { name: 'interaction', group: 3, workers: 1, timeoutMs: 600 * second },
  { name: 'browser', group: 4, workers: 1, timeoutMs: 120 * second },
];

const report = process.env['FRESHET_TEST_REPORT'];

export default defineConfig({
  root,
  test: {
    reporters: [
      'default',
      new SkipReporter((text) => process.stdout.write(text)),
      ...(report === undefined ? [] : [['json', { outputFile: report }] as ['json', object]]),
    ],
    coverage: { include: ['platform/**/*.ts', 'udl/**/*.ts', 'pipelines/**/*.ts'] },
    projects: suites.map(({ name, group, workers, timeoutMs }) => ({
      root,
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        // The addon keeps threads of its own; a process a file also shows what is left open.
        pool: 'forks' as const,
        maxWorkers: workers,
        sequence: { groupOrder: group },
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
      },
    })),
  },
});
