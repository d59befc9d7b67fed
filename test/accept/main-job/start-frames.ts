import { join } from 'node:path';
import { atMost, type Check, holds } from '../check.ts';
import { lastWords, startProduct } from '../product.ts';

const timeoutMs = 240_000;
const frames = { full: 60, quick: 12 };
const fields = [
  'frames',
  'filtered',
  'identified',
  'stored',
  'members',
  'p50_ms',
  'p99_ms',
  'frames_per_s',
  'lost',
];

/** `npm start -- --frames 60 --json`. */
export const startFrames: Check = {
  point: '1 commands',
  name: 'start-frames',
  run: async ({ root, folder, quick }) => {
    const count = quick ? frames.quick : frames.full;
    const words = ['--frames', String(count), '--json', '--data', join(folder, 'data')];
    const ending = await startProduct(root, words, { timeoutMs }).ended;
    const command = `start --frames ${String(count)} --json`;
    const last = ending.stdout.trim().split('\n').at(-1) ?? '';
    const outcome = parsed(last);
    if (ending.code !== 0 || outcome === null) {
      return [holds(command, 'exit 0, JSON as the last line', false, lastWords(ending))];
    }
    const missing = fields.filter((field) => !(field in outcome));
    const { lost, stored, filtered } = outcome;
    const dealtWith = Number(stored) + Number(filtered);
    return [
      holds(command, 'exit 0, JSON as the last line', missing.length === 0, last),
      atMost('frames lost, read back by another client', 0, Number(lost)),
      holds('frames filtered or stored', String(count), dealtWith === count, String(dealtWith)),
    ];
  },
};

function parsed(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    // The last line is no JSON: the check says so.
    return null;
  }
}
