import { Level } from 'level';
import type { Position } from './arrivals.ts';

/**
 * Where each lambda goes on in each shard after a restart of this member, kept on its own disk:
 * which member acts on a key does not change while the membership does not. A crash between an emit
 * and the next save repeats the events of that while: at least once.
 */
export class CursorStore {
  readonly #level: Level;
  readonly #positions: Map<string, Position>;
  readonly #dirty = new Set<string>();

  private constructor(level: Level, positions: Map<string, Position>) {
    this.#level = level;
    this.#positions = positions;
  }

  static async open(folder: string): Promise<CursorStore> {
    const level = new Level(folder);
    await level.open();
    const positions = new Map<string, Position>();
    for await (const [key, value] of level.iterator()) {
      positions.set(key, JSON.parse(value) as Position);
    }
    return new CursorStore(level, positions);
  }

  get(stage: string, shard: number): Position | null {
    return this.#positions.get(keyOf(stage, shard)) ?? null;
  }

  set(stage: string, shard: number, position: Position): void {
    const key = keyOf(stage, shard);
    const old = this.#positions.get(key);
    if (old?.epoch === position.epoch && old.version === position.version) return;
    this.#positions.set(key, position);
    this.#dirty.add(key);
  }

  /** Of a stage that is no more: should it come back, it begins as a new one. */
  forget(stage: string): void {
    for (const key of this.#positions.keys()) {
      if (key.slice(0, key.lastIndexOf('#')) !== stage) continue;
      this.#positions.delete(key);
      this.#dirty.add(key);
    }
  }

  /** Of shards that are held here no more: should one come back, others know where to go on. */
  keepShards(isHeld: (shard: number) => boolean): void {
    for (const key of this.#positions.keys()) {
      if (isHeld(Number(key.slice(key.lastIndexOf('#') + 1)))) continue;
      this.#positions.delete(key);
      this.#dirty.add(key);
    }
  }

  /** Writes what changed since the last save; what could not be written is part of the next. */
  async save(): Promise<void> {
    const keys = [...this.#dirty];
    this.#dirty.clear();
    if (keys.length === 0) return;
    const changes = keys.map((key) => {
      const position = this.#positions.get(key);
      return position === undefined
        ? { type: 'del' as const, key }
        : { type: 'put' as const, key, value: JSON.stringify(position) };
    });
    try {
      await this.#level.batch(changes);
    } catch (caught) {
      for (const key of keys) this.#dirty.add(key);
      throw caught;
    }
  }

  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      await this.#level.close();
    }
  }
}

function keyOf(stage: string, shard: number): string {
  return `${stage}#${String(shard)}`;
}
