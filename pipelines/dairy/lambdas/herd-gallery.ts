/**
 * The enrolled cows of one coat, as they lie in a pool, kept up with it.
 *
 * Owning thread: the worker of the lambda. Invariants:
 * 1. A gallery holds the embeddings of its own identity model alone.
 * 2. What a gallery holds is the pool at the frontiers in `#seen` or later.
 */
import { Gallery } from '../vision/mod.ts';
import type { DairyModels } from '../vision/mod.ts';
import type { Database } from '../../../udl/mod.ts';
import type { Enrolled } from './values.ts';

export class HerdGalleries {
  readonly #db: Database;
  readonly #pool: string;
  readonly #models: DairyModels;
  #galleries: ReadonlyMap<string, Gallery> = new Map();
  #seen: string | null = null;
  #held: string | null = null;

  constructor(db: Database, pool: string, models: DairyModels) {
    this.#db = db;
    this.#pool = pool;
    this.#models = models;
  }

  /** Reads the pool again when anything in it changed since the last time. */
  async refresh(): Promise<void> {
    const frontiers = await this.#db.frontier(this.#pool);
    const seen = JSON.stringify(frontiers.map((f) => [f.shard, f.epoch, f.delivered]));
    if (seen === this.#seen) return;
    // Its shards hold other pools too; most of what moves them is no change of this one.
    const held = await this.#heldVersions();
    if (held !== this.#held) await this.#read();
    this.#held = held;
    this.#seen = seen;
  }

  /** Every object of the pool with its version, without the values. */
  async #heldVersions(): Promise<string> {
    const rows = await this.#db
      .pool(this.#pool)
      .objects()
      .select((o) => ({ key: o.key, version: o.version }))
      .toArray();
    return rows
      .map(({ key, version }) => `${key} ${String(version)}`)
      .toSorted()
      .join('\n');
  }

  async #read(): Promise<void> {
    const vectors = new Map<string, Map<string, Float32Array[]>>();
    for await (const { value } of this.#db.pool<Enrolled>(this.#pool).objects()) {
      if (this.#models.identity.get(value.coat)?.model.name !== value.model) continue;
      const ofCoat = vectors.get(value.coat) ?? new Map<string, Float32Array[]>();
      vectors.set(value.coat, ofCoat);
      const known = ofCoat.get(value.cow) ?? [];
      ofCoat.set(value.cow, known);
      known.push(...value.embeddings.map((numbers) => Float32Array.from(numbers)));
    }
    this.#galleries = new Map(
      [...this.#models.identity].map(([coat, { threshold }]) => {
        const gallery = new Gallery(threshold);
        for (const [cow, known] of vectors.get(coat) ?? []) gallery.enrol(cow, known);
        return [coat, gallery];
      }),
    );
  }

  /** Null for a coat without an identity model. */
  of(coat: string): Gallery | null {
    return this.#galleries.get(coat) ?? null;
  }
}
