/**
 * Small objects that can be told at once: one call into the core, no promise on the way. Whatever
 * takes more than a look is for `ShardAccess.read`.
 *
 * Thread: event loop.
 * Invariant: what was handed out is never written again.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { decodeMeta, type Meta, type ObjectRecord } from '../base/mod.ts';
import { glances, headColumns, headWidth } from '../bridge/mod.ts';
import type { MemberCore } from '../group/mod.ts';

/** Values lie in one piece of memory until it is full: who keeps one of them keeps all. */
const slabBytes = 8192;
/** For what is larger, with its meta, no new piece is begun. */
const objectBytes = 2048;
const noMeta: Meta = Object.freeze({});

export class Glances {
  readonly #core: MemberCore;
  #slab = Buffer.alloc(0);
  /** Of the last object that was found, where the slab begins. */
  #head = new Float64Array(headWidth);
  #used = 0;

  constructor(core: MemberCore) {
    this.#core = core;
  }

  /** The newest of a key, as `linearizable` reads promise it or as `local` ones do; null: ask. */
  newest(shard: number, key: string, linearizable: boolean): ObjectRecord | null {
    if (this.#slab.byteLength === 0) this.#begin();
    let size = this.#glance(shard, key, linearizable);
    if (size === glances.noRoom && this.#isSmall()) {
      this.#begin();
      size = this.#glance(shard, key, linearizable);
    }
    return size < 0 ? null : this.#toRecord(key, size);
  }

  #glance(shard: number, key: string, linearizable: boolean): number {
    const { addon, handle } = this.#core;
    return addon.glance(handle, shard, key, linearizable, this.#slab, this.#used);
  }

  #begin(): void {
    this.#slab = Buffer.from(new ArrayBuffer(slabBytes));
    // With one value all others would go.
    markAsUntransferable(this.#slab.buffer);
    this.#head = new Float64Array(this.#slab.buffer, 0, headWidth);
    this.#used = this.#head.byteLength;
  }

  #isSmall(): boolean {
    return this.#column('size') + this.#column('metaLength') <= objectBytes;
  }

  #toRecord(key: string, size: number): ObjectRecord {
    const metaAt = this.#used;
    const valueAt = metaAt + this.#column('metaLength');
    this.#used += size;
    const eventTime = this.#column('eventTime');
    const previous = this.#column('previousVersionOfKey');
    return {
      key,
      value: this.#slab.subarray(valueAt, this.#used),
      removed: false,
      size: this.#column('size'),
      version: this.#column('version'),
      epoch: this.#column('epoch'),
      time: this.#column('time'),
      eventTime: Number.isNaN(eventTime) ? null : eventTime,
      previousVersionOfKey: previous > 0 ? previous : null,
      meta: valueAt === metaAt ? noMeta : decodeMeta(this.#slab.subarray(metaAt, valueAt)),
    };
  }

  #column(name: keyof typeof headColumns): number {
    return this.#head[headColumns[name]] as number;
  }
}
