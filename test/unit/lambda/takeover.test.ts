import { describe, expect, test } from 'vitest';
import { FreshetError, ManualClock, silentLogger } from '../../../platform/base/mod.ts';
import type { Arrival, ArrivalSource } from '../../../platform/lambda/arrivals.ts';
import { LowWater } from '../../../platform/lambda/low-water.ts';
import { Reaches } from '../../../platform/lambda/reaches.ts';
import { Stage } from '../../../platform/lambda/stage.ts';
import type { WorkerHost } from '../../../platform/lambda/worker-host.ts';
import type { WorkItem, WorkOutcome } from '../../../platform/lambda/worker-protocol.ts';

const prefix = '/milk/in';
const shard = 7;

/** A shard whose versions are all of one pool; who its members are is the test's. */
class Shard {
  readonly versions: Arrival[] = [];
  /** Of raw delivery. */
  raw = false;
  members: readonly number[] = [];
  readonly #heard = new Set<() => void>();

  put(count: number): void {
    for (let nth = 0; nth < count; nth++) {
      const version = this.versions.length + 1;
      const place = { shard, version, epoch: 1, time: version, eventTime: null };
      const key = `${prefix}/${String(version)}`;
      this.versions.push({ kind: 'put', key, ...place, meta: {}, bytes: new Uint8Array() });
    }
    for (const hear of this.#heard) hear();
  }

  sourceAt(node: number): ArrivalSource {
    return {
      memberKey: null,
      getShared: () => Promise.resolve(null),
      sharedAt: () => null,
      places: () => {
        const rank = this.members.indexOf(node);
        const { members, raw } = this;
        return rank < 0 ? [] : [{ shard, rank, size: members.length, members, raw }];
      },
      newest: () => ({ epoch: 1, version: this.versions.length }),
      epochOf: () => 1,
      hash: (key) => BigInt(key.slice(prefix.length + 1)),
      setDispatched: () => undefined,
      subscribe: ({ from }, onArrivals) => {
        let next = from;
        const hear = (): void => {
          const fresh = this.versions.slice(next - 1);
          next += fresh.length;
          onArrivals(fresh);
        };
        this.#heard.add(hear);
        queueMicrotask(() => {
          if (this.#heard.has(hear)) hear();
        });
        return { close: () => this.#heard.delete(hear) };
      },
    };
  }
}

/** One member: its stage, what it ran, and whether its worker ends what it begins. */
class Member {
  readonly ran: number[] = [];
  readonly reaches = new Reaches();
  readonly stage: Stage;
  hangs = false;
  letters = 0;
  fails = false;
  isLetterKept = true;
  /** What its worker waits for before it ends anything. */
  held: Promise<void> | null = null;

  constructor(node: number, log: Shard, start = 0) {
    const run = async (items: readonly WorkItem[]): Promise<readonly WorkOutcome[]> => {
      if (this.hangs) await new Promise(() => undefined);
      await this.held;
      for (const { version } of items) this.ran.push(version ?? 0);
      const error = this.fails ? new FreshetError('LAMBDA_FAILED', 'It failed').toJSON() : null;
      return items.map(() => ({ error, emits: [] }));
    };
    const worker = { isIdle: true, run, stop: () => Promise.resolve() };
    this.stage = new Stage({
      pipeline: 'p',
      node: {
        ...{ lambda: 'l', prefix, on: 'put', dispatch: 'one', order: 'key', eager: false },
        ...{ workers: 1, timeoutMs: 1000, edges: {}, batch: { maxSize: 1, maxDelayMs: 0 } },
        retries: { max: 0, backoffMs: [1, 1] },
      } as never,
      source: log.sourceAt(node),
      emitter: { send: () => Promise.resolve() } as never,
      deadLetters: {
        write: () => {
          this.letters++;
          return Promise.resolve(this.isLetterKept);
        },
      } as never,
      clock: new ManualClock(),
      log: silentLogger(),
      startOf: () => ({ epoch: 1, version: start }),
      deployedAt: () => null,
      reached: ({ members }) => this.reaches.of(shard, members, this.stage.name),
      makeWorker: () => worker as unknown as WorkerHost,
    });
  }
}

/** All tell all others how far they are. */
function tell(members: ReadonlyMap<number, Member>): void {
  for (const [from, { stage }] of members) {
    for (const { place, reach } of stage.reaches()) {
      for (const [to, { reaches }] of members) {
        if (to !== from) reaches.note(from, place.shard, place.members, [reach]);
      }
    }
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function ranBy(members: Iterable<Member>): number[] {
  return [...members].flatMap(({ ran }) => ran).sort((a, b) => a - b);
}

const all = (count: number): number[] => Array.from({ length: count }, (_, nth) => nth + 1);

/** Three members; the third begins 10 of 30 versions and ends none of them. */
async function startThree() {
  const log = new Shard();
  log.members = [1, 2, 3];
  const members = new Map([1, 2, 3].map((node) => [node, new Member(node, log)]));
  for (const { stage } of members.values()) stage.attach();
  (members.get(3) as Member).hangs = true;
  log.put(30);
  await settle();
  tell(members);
  expect(ranBy(members.values())).toEqual(all(30).filter((version) => version % 3 !== 2));
  return { log, members };
}

describe('what a lost member had not finished', () => {
  test('is run by those who are left, and nothing else again', async () => {
    const { log, members } = await startThree();
    members.delete(3);
    log.members = [1, 2];
    for (const { stage } of members.values()) stage.attach();
    log.put(6);
    await settle();
    expect(ranBy(members.values())).toEqual(all(36));
    expect([...members.values()].map(({ stage }) => stage.cursors().get(shard))).toEqual([36, 36]);
  });

  test('is run by the spare that has its place', async () => {
    const { log, members } = await startThree();
    members.delete(3);
    log.members = [1, 2, 4];
    for (const { stage } of members.values()) stage.attach();
    await settle();
    // However far the others have come since.
    const starts = [...members.values()].map(({ stage }) => stage.startFor(4, shard) ?? 0);
    const spare = new Member(4, log, Math.min(...starts));
    members.set(4, spare);
    spare.stage.attach();
    log.put(6);
    await settle();
    expect([...new Set(ranBy(members.values()))]).toEqual(all(36));
    expect(spare.ran).toEqual(all(36).filter((version) => version % 3 === 2));
  });

  test('is told to a spare by one that has not heard of the new view yet', async () => {
    const { members } = await startThree();
    expect((members.get(1) as Member).stage.startFor(4, shard)).toBe(1);
  });

  test('is run though another member is lost before it was looked at', async () => {
    const { log, members } = await startThree();
    members.delete(3);
    log.members = [1, 2];
    const [first, second] = [...members.values()] as [Member, Member];
    second.hangs = true;
    log.put(4);
    await settle();
    tell(members);
    for (const { stage } of members.values()) stage.attach();
    await settle();
    tell(members);
    log.members = [1];
    first.stage.attach();
    await settle();
    expect([...new Set(ranBy(members.values()))]).toEqual(all(34));
  });
});

test('a member that comes beside all others has nothing run again', async () => {
  const log = new Shard();
  log.members = [1, 2];
  const members = new Map([1, 2].map((node) => [node, new Member(node, log)]));
  for (const { stage } of members.values()) stage.attach();
  log.put(20);
  await settle();
  tell(members);
  log.members = [1, 2, 3];
  for (const { stage } of members.values()) stage.attach();
  const joiner = new Member(3, log, 20);
  members.set(3, joiner);
  joiner.stage.attach();
  log.put(9);
  await settle();
  expect(ranBy(members.values())).toEqual(all(29));
});

test('of raw delivery nobody goes by how far others are, each counting for itself', async () => {
  const log = new Shard();
  log.raw = true;
  log.members = [1, 2, 3];
  const member = new Member(1, log);
  member.stage.attach();
  log.put(9);
  await settle();
  expect(member.stage.reaches()).toEqual([]);
  expect(member.stage.startFor(4, shard)).toBeNull();
  member.reaches.note(3, shard, [1, 2, 3], [{ stage: member.stage.name, done: 1, seen: 2 }]);
  log.members = [1, 2];
  member.stage.attach();
  log.put(2);
  await settle();
  const mine = all(11).filter((version) => (version <= 9 ? version % 3 === 0 : version % 2 === 0));
  expect(member.ran).toEqual(mine);
});

test('versions under way stay so while they are looked at again', () => {
  const water = new LowWater(0);
  for (const version of [1, 2, 3]) water.begin(version);
  water.pass(5);
  water.finish(2);
  water.lookAgain(0);
  expect([water.done, water.seen]).toEqual([0, 0]);
  expect([1, 2, 3].map((version) => water.isUnderWay(version))).toEqual([true, false, true]);
  water.pass(2);
  expect(water.done).toBe(0);
  water.finish(1);
  expect(water.done).toBe(2);
  water.begin(4);
  water.finish(4);
  expect(water.done).toBe(2);
  water.finish(3);
  expect(water.done).toBe(4);
});

test('what was under way when the shard was lost ends after the shard is back', async () => {
  const log = new Shard();
  log.members = [1];
  const member = new Member(1, log);
  let release = (): void => undefined;
  member.held = new Promise((resolve) => {
    release = resolve;
  });
  member.stage.attach();
  log.put(3);
  await settle();
  log.members = [];
  member.stage.attach();
  log.members = [1];
  member.stage.attach();
  await settle();
  release();
  await settle();
  log.put(2);
  await settle();
  expect([...new Set(member.ran)]).toEqual(all(5));
  expect(member.letters).toBe(0);
  expect(member.stage.cursors().get(shard)).toBe(5);
});

test.each([true, false])(
  'a cursor passes what failed once its letter is kept (%s)',
  async (isKept) => {
    const log = new Shard();
    log.members = [1];
    const member = new Member(1, log);
    Object.assign(member, { fails: true, isLetterKept: isKept });
    member.stage.attach();
    log.put(3);
    await settle();
    expect(member.letters).toBe(3);
    expect(member.stage.cursors().get(shard)).toBe(isKept ? 3 : 0);
  },
);
