import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ShardFolders } from './left-logs.ts';

/** Those of a data folder of this machine; named as native/README.md says. */
export function dataShardFolders(dataFolder: string): ShardFolders {
  const nameOf = (shard: number): string => `shard-${String(shard)}`;
  return {
    list: async () => {
      const entries = await readdir(dataFolder, { withFileTypes: true });
      return entries.flatMap((entry) => {
        const shard = /^shard-([1-9]\d*)$/.exec(entry.name)?.[1];
        return entry.isDirectory() && shard !== undefined ? [Number(shard)] : [];
      });
    },
    remove: async (shard) => {
      await rm(path.join(dataFolder, nameOf(shard)), { recursive: true });
      const handle = await open(dataFolder, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}
