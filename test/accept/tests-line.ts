import { type Check, type CheckContext, holds, type Line, undecided } from './check.ts';

/** Which tests of a file decide a line. */
export interface DecidingTests {
  readonly name: string;
  /** Relative to the repository. */
  readonly file: string;
  /** Matched with the full names of the tests; null: all of the file. */
  readonly tests: RegExp | null;
}

/** A check whose lines are decided by tests of the repository, named in what was measured. */
export function testsCheck(point: string, name: string, lines: readonly DecidingTests[]): Check {
  return {
    point,
    name,
    run: (context) => Promise.all(lines.map(async (line) => lineOf(context, line))),
  };
}

/** All tests that match must have passed; one that was skipped leaves the line undecided. */
export async function lineOf(
  { tests: files }: Pick<CheckContext, 'tests'>,
  { name, file, tests }: DecidingTests,
): Promise<Line> {
  const wanted = (await files.outcomes(file)).filter((one) => tests?.test(one.name) ?? true);
  const target = 'tests pass';
  const count = (status: string): number => wanted.filter((one) => one.status === status).length;
  const failed = wanted.find(({ status }) => status === 'failed');
  if (wanted.length === 0) return holds(name, target, false, `no such test in ${file}`);
  if (failed !== undefined) {
    return holds(name, target, false, `${file}: '${failed.name}' failed: ${failed.message}`);
  }
  if (count('passed') < wanted.length) {
    return undecided(name, target, `${String(count('skipped'))} skipped in ${file}`);
  }
  return holds(name, target, true, `${String(wanted.length)} passed in ${file}`);
}
