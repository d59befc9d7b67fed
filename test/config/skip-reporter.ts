import type { Reporter, TestModule } from 'vitest/node';

/** Ends the output with what was skipped, why, and the command that enables it. */
export class SkipReporter implements Reporter {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const byReason = new Map<string, string[]>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const note = result.state === 'skipped' ? result.note : undefined;
        const reason = note ?? 'no reason given';
        const names = byReason.get(reason) ?? [];
        names.push(`${module.relativeModuleId} > ${test.fullName}`);
        byReason.set(reason, names);
      }
    }
    this.#write(describe(byReason));
  }
}

function describe(byReason: ReadonlyMap<string, readonly string[]>): string {
  if (byReason.size === 0) {
    return '\nSkipped: nothing.\n';
  }
  const total = [...byReason.values()].reduce((sum, names) => sum + names.length, 0);
  const parts = [...byReason].map(([reason, names]) => {
    const lines = names.map((name) => `    ${name}\n`).join('');
    return `  ${reason}\n${lines}`;
  });
  return `\nSkipped: ${String(total)}\n${parts.join('')}`;
}
