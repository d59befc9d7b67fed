import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import { Catalog } from '../../../platform/store/catalog.ts';
import { openCatalogDisk } from '../../../platform/store/catalog-disk.ts';
import type { FeedEvent, ShardAccess } from '../../../platform/store/shard-access.ts';
import { tempFolder, until } from '../../support/mod.ts';

/** The catalog's shard, of which this member is shown what the test lets through. */
class Shard {
  persisted = 0;
  #ready: FeedEvent[] = [];
  #wake: (() => void) | null = null;
  #isClosed = false;

  show(version: number): void {
    const place = { version, epoch: 1, time: version, size: 1, eventTime: null };
    const object = { key: `/system/pools/${String(version)}`, ...place, value: Buffer.from('{}') };
    this.#ready.push({ kind: 'put', object } as never);
    this.#wake?.();
  }

  async next(): Promise<readonly FeedEvent[]> {
    while (this.#ready.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#isClosed) throw new FreshetError('CLOSED', 'closed');
    return this.#ready.splice(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  get access(): ShardAccess {
    const frontier = () => Promise.resolve({ persisted: this.persisted });
    return { frontier, feed: () => this } as never;
  }
}

async function openCatalog() {
  const shard = new Shard();
  const clock = new ManualClock();
  const options = { clock, log: silentLogger() };
  const disk = await openCatalogDisk(join(await tempFolder(), 'catalog'));
  const catalog = await Catalog.open(shard.access, disk, options);
  onTestFinished(() => catalog.close());
  catalog.follow();
  return { shard, clock, catalog };
}

test('who catches up has what is durable by then, though another one began before', async () => {
  const { shard, catalog } = await openCatalog();
  shard.persisted = 1;
  const first = catalog.catchUp(1000);
  await new Promise((resolve) => setImmediate(resolve));
  shard.persisted = 2;
  const second = catalog.catchUp(1000).then(() => catalog.has('/system/pools/2'));
  shard.show(1);
  await first;
  await until(() => catalog.applied.version === 1);
  shard.show(2);
  expect(await second).toBe(true);
});

test('who catches up does not wait for ever for what is not applied here', async () => {
  const { shard, clock, catalog } = await openCatalog();
  shard.persisted = 1;
  const caught = catalog.catchUp(1000).catch((error: unknown) => error);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(1000);
  expect(await caught).toMatchObject({ code: 'TIMEOUT' });
});
