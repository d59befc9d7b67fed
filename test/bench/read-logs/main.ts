/** Reads every log below a member's data folder and computes its CRC32C: prints the ms it took. */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAddon } from '../../../platform/bridge/mod.ts';

const chunkBytes = 1024 * 1024;
const folder = process.argv[2] ?? '';
const addon = loadAddon();
const buffer = Buffer.alloc(chunkBytes);
const began = performance.now();
let bytes = 0;
for (const entry of await readdir(folder, { recursive: true })) {
  if (!entry.endsWith('.log')) continue;
  const handle = await open(join(folder, entry));
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, chunkBytes, null);
    if (bytesRead === 0) break;
    addon.crc32c(buffer.subarray(0, bytesRead), 0);
    bytes += bytesRead;
  }
  await handle.close();
}
if (bytes === 0) throw new Error(`There are no logs in ${folder}`);
process.stdout.write(String(performance.now() - began));
