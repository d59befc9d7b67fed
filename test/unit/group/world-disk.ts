import type { Position } from '../../../platform/group/group-events.ts';
import { noView, type ViewRecord } from '../../../platform/group/view-record.ts';

/** A record is its place: two histories are equal when their places are. */
export interface Place {
  readonly epoch: number;
  readonly sequence: number;
}

/** A shard's history at one member. What lies beyond `synced` may be lost at a crash. */
export class WorldLog {
  readonly persistent: boolean;
  places: Place[] = [];
  synced = 0;

  constructor(persistent: boolean) {
    this.persistent = persistent;
  }

  append(place: Place): void {
    this.places.push(place);
  }

  sync(): void {
    this.synced = this.places.length;
  }

  /** `kept` of what was not synced survives; nothing of a volatile shard does. */
  crash(kept: (unsynced: number) => number): void {
    if (!this.persistent) {
      this.places = [];
      this.synced = 0;
    }
    const unsynced = this.places.length - this.synced;
    this.places.length = this.synced + (unsynced > 0 ? kept(unsynced) : 0);
    this.sync();
  }

  /** Back to where the other history is still the same one. */
  cutBack(other: WorldLog): void {
    const apart = this.places.findIndex((place, at) => !isSame(place, other.places[at]));
    if (apart >= 0) {
      this.places.length = apart;
    }
    this.sync();
  }

  copy(other: WorldLog): void {
    this.places = [...other.places];
    this.sync();
  }

  /** More of it, up to the end of an epoch; what is here has to be its beginning. */
  follow(other: WorldLog, epochMax: number): void {
    if (!this.places.every((place, at) => isSame(place, other.places[at]))) {
      throw new Error(`an observer has ${this.digest}, its donor ${other.digest}`);
    }
    this.places = other.places.filter(({ epoch }) => epoch <= epochMax);
    this.sync();
  }

  has(place: Place): boolean {
    return this.places.some((item) => isSame(item, place));
  }

  get digest(): string {
    return this.places.map(({ epoch, sequence }) => `${String(epoch)}.${String(sequence)}`).join();
  }

  position(shard: number): Position {
    const last = this.places.at(-1) ?? { epoch: 0, sequence: -1 };
    return { shard, ...last, version: this.places.length, digest: this.digest };
  }
}

/** What outlives the process of a member. */
export class WorldDisk {
  record: ViewRecord = noView;
  /** No record can be written. */
  fails = false;
  readonly logs = new Map<number, WorldLog>();

  constructor(shards: Iterable<{ readonly shard: number; readonly persistent: boolean }>) {
    this.add(shards);
  }

  /** Those that it does not know. */
  add(shards: Iterable<{ readonly shard: number; readonly persistent: boolean }>): void {
    for (const { shard, persistent } of shards) {
      if (!this.logs.has(shard)) this.logs.set(shard, new WorldLog(persistent));
    }
  }

  log(shard: number): WorldLog {
    const found = this.logs.get(shard);
    if (found === undefined) {
      throw new Error(`shard ${String(shard)} is not held here`);
    }
    return found;
  }
}

function isSame(a: Place, b: Place | undefined): boolean {
  return b !== undefined && a.epoch === b.epoch && a.sequence === b.sequence;
}
