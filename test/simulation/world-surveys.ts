/**
 * Reads of the past, as the doors make them: histories of keys, points by version and by time, and
 * scans that are pinned at a version and come in many batches. What they have to find is known: the
 * checkers have the history, of which what anybody was shown stays as it is unless it is undone.
 */
import { compareText, type ObjectRecord, type SeededRandom } from '../../platform/base/mod.ts';
import type { PackedRecord } from '../../platform/group/mod.ts';
import {
  plainScan,
  type ShardAccess,
  type ShardCallLimits,
  type ShardScan,
} from '../../platform/store/shard-access.ts';
import { pastColumns, type WorldAddon } from './world-addon.ts';

/** Entries of a history that is not asked for as a whole, at most. */
const entriesMax = 6;

/** A version as the checkers know it; `value` by its number, null: it was not asked for. */
interface Past {
  readonly version: number;
  readonly key: string;
  readonly epoch: number;
  readonly time: number;
  readonly value: number | null;
}

export interface SurveysOptions {
  readonly addon: WorldAddon;
  /** Of their own. */
  readonly random: SeededRandom;
  readonly call: ShardCallLimits;
  /** A canary leaves out what a history ends with. */
  readonly endsEarly: boolean;
  /** False: a canary lets scans go up to the newest. */
  readonly pins: boolean;
}

export class WorldSurveys {
  readonly #options: SurveysOptions;
  readonly #shown = new Float64Array(2);
  readonly #columns = new Float64Array(Object.keys(pastColumns).length);

  constructor(options: SurveysOptions) {
    this.#options = options;
  }

  /** What is wrong with what one of them found; null: nothing. Rejects what the shard rejects. */
  async run(shard: ShardAccess, key: string): Promise<string | null> {
    const { random } = this.#options;
    const shown = this.#shownOf(shard.shard);
    if (shown.version === 0) return null;
    const version = 1 + random.below(shown.version);
    const survey = random.pick([this.#history, this.#point, this.#scan, this.#scan] as const);
    const wrong = await survey.call(this, shard, key, version, shown.version);
    // What was undone meanwhile it may have shown or not.
    const isSame = this.#shownOf(shard.shard).era === shown.era;
    return wrong === null || !isSame ? null : `shard ${String(shard.shard)}: ${wrong}`;
  }

  async #history(
    shard: ShardAccess,
    key: string,
    version: number,
    shown: number,
  ): Promise<string | null> {
    const { random, call, endsEarly } = this.#options;
    const from = random.chance(0.5) ? 1 : version;
    const to = random.chance(0.5) ? Number.MAX_SAFE_INTEGER : from + random.below(shown);
    const limit = random.chance(0.5) ? Number.MAX_SAFE_INTEGER : 1 + random.below(entriesMax);
    const found = [...(await shard.history(key, from, to, limit, call))];
    if (endsEarly) found.pop();
    const first = found[0]?.version ?? 0;
    const newest = this.#newestOf(shard.shard, key, Math.min(to, shown));
    // Versions that came meanwhile may be among them.
    const begins = newest === null || first >= newest.version ? first : newest.version;
    const due: Past[] = [];
    for (let at = begins; at >= from && due.length < limit;) {
      const past = this.#newestOf(shard.shard, key, at);
      if (past === null || past.version < from) break;
      due.push(past);
      at = past.version - 1;
    }
    const what = `the history of ${key} from ${String(from)} to ${String(to)}`;
    if (
      found.some((record, nth) => record.previousVersionOfKey !== this.#before(shard, due[nth]))
    ) {
      return `${what} tells a wrong version before one`;
    }
    return differenceOf(what, due, found.map(asPast));
  }

  #before({ shard }: ShardAccess, past: Past | undefined): number | null {
    return past === undefined
      ? null
      : (this.#newestOf(shard, past.key, past.version - 1)?.version ?? null);
  }

  /** By version, or by the time of one. */
  async #point(shard: ShardAccess, key: string, version: number): Promise<string | null> {
    const { random, call } = this.#options;
    const exact = random.chance(0.5);
    const at = random.chance(0.5) ? this.#past(shard.shard, version)?.time : undefined;
    const place =
      at === undefined ? { version, exact, at: null } : { version: null, exact: false, at };
    const read = await shard.read({ key, read: 'linearizable', ...place, wantValue: true }, call);
    const newest = this.#newestOf(shard.shard, key, version);
    const isDue = newest !== null && (!place.exact || newest.version === version);
    const what = `${key} at ${at === undefined ? '' : 'the time of '}version ${String(version)}`;
    return differenceOf(what, isDue ? [newest] : [], read === null ? [] : [this.#asPast(read)]);
  }

  /** Of the newest of each key, or of all versions, up to one that is told or found by its time. */
  async #scan(shard: ShardAccess, _key: string, version: number): Promise<string | null> {
    const { random, call, pins } = this.#options;
    const time = this.#past(shard.shard, version)?.time ?? null;
    // Versions of pools have a time, but not one that is known here.
    const isTold = random.chance(0.5) || time === null;
    const pinned = isTold ? version : await shard.versionAtTime(time, 'linearizable', call);
    const kind = random.pick(['objects', 'versions'] as const);
    const reverse = random.chance(0.3);
    const fromVersion = kind === 'versions' && random.chance(0.5) ? 1 + random.below(version) : 0;
    const found: Past[] = [];
    const toVersion = pins ? pinned : Infinity;
    const wanted = { prefix: 'key/', wantValues: true, kind, reverse, fromVersion, toVersion };
    for await (const record of recordsOf(shard, { ...plainScan, ...wanted }, call)) {
      const { epoch, time, version } = record.head;
      const value = this.#valueOf(record.key, record.value);
      found.push({ version, key: record.key, epoch, time, value });
    }
    const what = `${kind} from ${String(fromVersion)} to ${String(version)}`;
    const due =
      kind === 'objects'
        ? this.#objectsAt(shard.shard, version)
        : this.#versionsFrom(shard.shard, fromVersion, version);
    return differenceOf(what, reverse ? due.reverse() : due, found);
  }

  #versionsFrom(shard: number, from: number, to: number): Past[] {
    const versions: Past[] = [];
    for (let version = Math.max(1, from); version <= to; version++) {
      const past = this.#past(shard, version);
      if (past !== null) versions.push(past);
    }
    return versions;
  }

  /** In the order of their keys. */
  #objectsAt(shard: number, version: number): Past[] {
    const newest = new Map(this.#versionsFrom(shard, 1, version).map((past) => [past.key, past]));
    return [...newest.values()].sort((a, b) => compareText(a.key, b.key));
  }

  #newestOf(shard: number, key: string, to: number): Past | null {
    for (let at = Math.min(to, this.#options.addon.newestOf(shard)); at > 0; at--) {
      const past = this.#past(shard, at);
      if (past?.key === key) return past;
    }
    return null;
  }

  #past(shard: number, version: number): Past | null {
    if (!this.#options.addon.pastOf(shard, version, this.#columns)) return null;
    const column = (name: keyof typeof pastColumns): number =>
      this.#columns[pastColumns[name]] as number;
    const [epoch, time, value] = [column('epoch'), column('time'), column('value')];
    return { version, key: `key/${String(column('key'))}`, epoch, time, value };
  }

  #asPast(record: ObjectRecord): Past {
    return { ...asPast(record), value: this.#valueOf(record.key, record.value) };
  }

  #valueOf(key: string, value: Uint8Array | null): number {
    const number = Number(key.slice('key/'.length));
    return value === null ? 0 : this.#options.addon.valueOf(value, number);
  }

  #shownOf(shard: number): { readonly version: number; readonly era: number } {
    this.#options.addon.shownOf(shard, this.#shown);
    const [version, era] = this.#shown as unknown as [number, number];
    return { version, era };
  }
}

/** Without its value. */
function asPast({ version, key, epoch, time }: ObjectRecord): Past {
  return { version, key, epoch, time, value: null };
}

async function* recordsOf(
  shard: ShardAccess,
  scan: ShardScan,
  call: ShardCallLimits,
): AsyncGenerator<PackedRecord, undefined> {
  let resume: Uint8Array | null = null;
  do {
    const page = await shard.scan(scan, resume, call);
    yield* page.records;
    ({ resume } = page);
  } while (resume !== null);
  return undefined;
}

function differenceOf(what: string, due: readonly Past[], found: readonly Past[]): string | null {
  for (let nth = 0; nth < Math.max(due.length, found.length); nth++) {
    const [mine, theirs] = [due[nth], found[nth]];
    if (mine === undefined) return `${what} has version ${String(theirs?.version)}, which is none`;
    if (theirs?.version !== mine.version) return `${what} lacks version ${String(mine.version)}`;
    const isSame =
      theirs.key === mine.key && theirs.epoch === mine.epoch && theirs.time === mine.time;
    if (!isSame) return `${what} has another record of version ${String(mine.version)}`;
    if (theirs.value !== null && theirs.value !== mine.value) {
      return `${what} has another value of version ${String(mine.version)}`;
    }
  }
  return null;
}
