import type { MemberCore } from '../group/mod.ts';

/**
 * The packed record of one version; null: not in memory. `shared`: a large one is a copy that all
 * have who ask for it so, as long as one of them holds it. It is not to be written to.
 */
export function readOne(
  { addon, handle }: MemberCore,
  shard: number,
  version: number,
  shared: boolean,
): Buffer | null {
  const found = shared ? addon.shareVersion(handle, shard, version) : null;
  if (found !== null) return found;
  const bytes = addon.getVersions(handle, shard, Float64Array.of(version), 1, Infinity);
  return bytes.byteLength === 0 ? null : bytes;
}

/**
 * `bytesMax` of a version's record, from its byte `from` on, read beside the event loop. Its value is
 * looked at only where all of it is read from disk. Rejects LOG_CORRUPT: nobody has a good copy.
 */
export function readVersionBytes(
  core: MemberCore,
  shard: number,
  version: number,
  from: number,
  bytesMax: number,
): Promise<Buffer | null> {
  const { addon, handle } = core;
  const size = Math.min(bytesMax, Number.MAX_SAFE_INTEGER);
  return core.readMended(shard, () =>
    core.call(`Reading version ${String(version)} of shard ${String(shard)}`, (token) =>
      addon.readVersion(handle, shard, version, from, size, token),
    ),
  );
}
