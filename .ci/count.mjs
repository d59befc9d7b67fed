// Prints `N passed, N failed, N skipped` over the reports that the stages left, and exits with 1
// when anything failed. Usage: node .ci/count.mjs FAILED_STAGES REPORTS
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [stages, folder] = process.argv.slice(2);
const total = { passed: 0, failed: Number(stages), skipped: 0 };

const report = join(folder, 'vitest.json');
if (existsSync(report)) {
  countVitest(JSON.parse(readFileSync(report, 'utf8')));
} else {
  // Tests that did not even report have not passed.
  total.failed += 1;
}
for (const name of readdirSync(folder).filter((file) => file.endsWith('.xml'))) {
  countCtest(readFileSync(join(folder, name), 'utf8'));
}

process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);

function countVitest({ testResults, success }) {
  let failed = 0;
  for (const { status, assertionResults } of testResults) {
    const having = (...states) =>
      assertionResults.filter((one) => states.includes(one.status)).length;
    total.passed += having('passed');
    total.skipped += having('skipped', 'pending', 'todo', 'disabled');
    // A file that could not be loaded has no results of its own.
    failed += having('failed') || (status === 'failed' ? 1 : 0);
  }
  // An error outside any test fails the run alone.
  total.failed += failed || (success ? 0 : 1);
}

function countCtest(xml) {
  const attribute = (name) =>
    Number(new RegExp(`<testsuite[^>]*\\b${name}="(\\d+)"`).exec(xml)?.[1]);
  const [tests, failures] = [attribute('tests'), attribute('failures')];
  const skipped = attribute('skipped') + attribute('disabled');
  // The stage counted its failure already when any test of it failed.
  total.failed += Math.max(0, failures - 1);
  total.skipped += skipped;
  total.passed += tests - failures - skipped;
}
