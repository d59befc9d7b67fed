import { compareText } from '../base/mod.ts';
import type { ShardAccess, ShardCallLimits, ShardScan } from './shard-access.ts';

/** Keys of several shards merged into byte order, read page by page as they are asked for. */
export async function* mergeKeys(
  shards: readonly ShardAccess[],
  scanOf: (shard: ShardAccess) => Promise<ShardScan>,
  call: ShardCallLimits,
): AsyncGenerator<string, undefined> {
  const scans = await Promise.all(shards.map(scanOf));
  const streams = shards.map((shard, nth) => keysOf(shard, scans[nth] as ShardScan, call));
  const heads = await Promise.all(streams.map((stream) => stream.next()));
  for (;;) {
    let from = -1;
    let least = '';
    for (const [nth, head] of heads.entries()) {
      if (head.done !== true && (from === -1 || compareText(head.value, least) < 0)) {
        least = head.value;
        from = nth;
      }
    }
    const stream = streams[from];
    if (stream === undefined) {
      return undefined;
    }
    yield least;
    heads[from] = await stream.next();
  }
}

async function* keysOf(
  shard: ShardAccess,
  scan: ShardScan,
  call: ShardCallLimits,
): AsyncGenerator<string, undefined> {
  let resume: Uint8Array | null = null;
  do {
    const page = await shard.scan(scan, resume, call);
    for (const { key } of page.records) {
      yield key;
    }
    ({ resume } = page);
  } while (resume !== null);
  return undefined;
}
