/**
 * Scans without the removals. A source may count removals against the limit of a scan, so a
 * limited scan may have to be taken up again behind the last record that it gave.
 *
 * Invariant: records are given in the order that the scan contract states, each once.
 */
import {
  check,
  compareText,
  type ScannedRecord,
  type ScanRequest,
  type ShardRef,
  type ShardSource,
} from '../base/mod.ts';

export async function* scanLive(
  source: ShardSource,
  shard: ShardRef,
  request: ScanRequest,
  signal: AbortSignal,
): AsyncGenerator<readonly ScannedRecord[]> {
  const progress = new Progress(request);
  let current = request;
  for (let wanted = request.limit; ;) {
    let given = 0;
    const newBefore = progress.newCount;
    for await (const batch of source.scan(shard, current, signal)) {
      given += batch.length;
      const live = batch.filter((record) => progress.isNew(record) && !record.removed);
      wanted = wanted === null ? null : wanted - live.length;
      if (live.length > 0) {
        yield live;
      }
    }
    const isCut = current.limit !== null && given >= current.limit;
    if (wanted === null || wanted <= 0 || !isCut || progress.newCount === newBefore) {
      return;
    }
    current = progress.rest(wanted);
  }
}

/** How far a scan has come, and that it comes in order. */
class Progress {
  newCount = 0;
  readonly #request: ScanRequest;
  #last: ScannedRecord | null = null;
  /** Keys of the last version: several objects may share one. */
  readonly #keysAtLast = new Set<string>();

  constructor(request: ScanRequest) {
    this.#request = request;
  }

  isNew(record: ScannedRecord): boolean {
    const last = this.#last;
    if (last?.version === record.version && this.#keysAtLast.has(record.key)) {
      return false;
    }
    const { kind, reverse } = this.#request;
    if (last !== null) {
      const step =
        kind === 'versions' ? stepOfVersions(last, record) : compareText(last.key, record.key);
      check(reverse ? step > 0 : step < 0, 'a scan gives records in order', {
        kind,
        reverse,
        before: `${last.key} ${String(last.version)}`,
        after: `${record.key} ${String(record.version)}`,
      });
    }
    check(kind === 'versions' || !record.removed, 'a scan of objects gives no removal', {
      key: record.key,
    });
    if (last?.version !== record.version) {
      this.#keysAtLast.clear();
    }
    this.#keysAtLast.add(record.key);
    this.#last = record;
    this.newCount++;
    return true;
  }

  /** The scan that goes on: it starts with the last version, of which some may be missing yet. */
  rest(wanted: number): ScanRequest {
    const version = this.#last?.version ?? null;
    const limit = wanted + this.#keysAtLast.size;
    return this.#request.reverse
      ? { ...this.#request, toVersion: version, limit }
      : { ...this.#request, fromVersion: version, limit };
  }
}

function stepOfVersions(a: ScannedRecord, b: ScannedRecord): number {
  return a.version - b.version || compareText(a.key, b.key);
}
