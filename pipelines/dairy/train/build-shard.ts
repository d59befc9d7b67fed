/** A process of its own that renders one shard of the data set: see dataset.ts and main.ts. */
import sharp from 'sharp';
import { buildShard } from './dataset.ts';
import type { DatasetPlan } from './dataset.ts';

const [plan, folder, shard, of] = process.argv.slice(2);
if (plan === undefined || folder === undefined || shard === undefined || of === undefined) {
  throw new Error('usage: build-shard.ts <plan as JSON> <folder> <shard> <of>');
}
sharp.concurrency(1);
sharp.cache(false);
const shown = Number(shard) === 0;
// The plan comes from main.ts, which built it from the checked options of this same program.
const parsed = JSON.parse(plan) as DatasetPlan;
await buildShard(parsed, folder, Number(shard), Number(of), (done, all) => {
  if (shown) process.stderr.write(`\r  rendered ${done} of ${all} (one of ${of} processes)   `);
});
if (shown) process.stderr.write('\n');
