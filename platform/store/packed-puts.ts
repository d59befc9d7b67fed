import type { FreshetError } from '../base/mod.ts';
import { extraWidth } from '../bridge/mod.ts';
import type { Completion, CoreChange, MemberCore } from '../group/mod.ts';

const fixedHead = 6 * 4 + 8 + extraWidth * 8;
const noExtra = [NaN, -1, -1, -1, 0, 0, 0] as const;

/**
 * Queues many changes with one native call (layout: `NativeAddon.submitMany`). Returns a promise
 * for each that was queued; undefined for the rest, for which there was no room.
 */
export function submitPacked(
  core: MemberCore,
  changes: readonly CoreChange[],
): readonly (Promise<Completion> | undefined)[] {
  const keys = changes.map(({ key }) => Buffer.from(key, 'utf8'));
  const sizes = changes.map((change, nth) => entrySize(change, keys[nth] as Buffer));
  const packed = Buffer.alloc(sizes.reduce((sum, size) => sum + size, 0));
  const tokens: number[] = [];
  const answers: Promise<Completion>[] = [];
  let at = 0;
  changes.forEach((change, nth) => {
    answers.push(
      new Promise<Completion>((resolve, reject: (error: FreshetError) => void) => {
        tokens.push(core.reserve(resolve, reject));
      }),
    );
    writeEntry(packed, at, change, keys[nth] as Buffer, tokens[nth] as number);
    at += sizes[nth] as number;
  });
  const queued = core.submitMany(packed, changes.length);
  for (const token of tokens.slice(queued)) {
    core.giveBack(token);
  }
  return changes.map((_, nth) => (nth < queued ? answers[nth] : undefined));
}

function entrySize({ meta, value }: CoreChange, key: Buffer): number {
  const size = fixedHead + key.byteLength + (meta?.byteLength ?? 0) + (value?.byteLength ?? 0);
  return Math.ceil(size / 8) * 8;
}

function writeEntry(
  packed: Buffer,
  at: number,
  change: CoreChange,
  key: Buffer,
  token: number,
): void {
  const { meta, value, extra } = change;
  let next = at;
  const numbers = [
    change.shard,
    change.kind | (change.ack << 4),
    change.pool,
    key.byteLength,
    meta?.byteLength ?? 0,
    value?.byteLength ?? 0,
  ];
  for (const number of numbers) {
    next = packed.writeUInt32LE(number, next);
  }
  next = packed.writeDoubleLE(token, next);
  for (let column = 0; column < extraWidth; column++) {
    next = packed.writeDoubleLE(extra?.[column] ?? (noExtra[column] as number), next);
  }
  for (const bytes of [key, meta, value]) {
    if (bytes !== null) {
      packed.set(bytes, next);
      next += bytes.byteLength;
    }
  }
}
