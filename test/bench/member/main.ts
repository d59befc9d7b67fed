/** The process of one member under load: a serving member that also puts, when asked, by itself. */
import type { ReadLevel } from '../../../platform/base/mod.ts';
import { readFloors, readPoints } from '../../../platform/bridge/mod.ts';
import type { Member } from '../../../platform/node.ts';
import { type ParentCall, runMemberProcess } from '../../../platform/member-process.ts';
import {
  nativeDoorOf,
  type ServingOptions,
  servingPart,
  type ServingPorts,
} from '../../../platform/serving.ts';
import type { GetRates, LocalGets, PacedPuts, PutsOneByOne } from './orders.ts';

let ports: ServingPorts | null = null;

/** Microseconds of each put, from the call to its answer, the next one only after it. */
const putOneByOne: ParentCall = async (member, argument) => {
  const { prefix, count, warmUp, size } = argument as PutsOneByOne;
  const value = Buffer.alloc(size, 1);
  const micros: number[] = [];
  for (let nth = 0; nth < warmUp + count; nth++) {
    const begin = process.hrtime.bigint();
    await member.store.objects.put({ key: `${prefix}/${String(nth % 100)}`, value });
    if (nth >= warmUp) micros.push(Number(process.hrtime.bigint() - begin) / 1000);
  }
  return micros;
};

/** Puts so many a second; each value is the moment of its put, in ns of the monotonic clock. */
const putPaced: ParentCall = async (member, argument) => {
  const { prefix, count, perSecond } = argument as PacedPuts;
  const begin = performance.now();
  const failures: string[] = [];
  const open: Promise<void>[] = [];
  for (let nth = 0; nth < count; nth++) {
    const waitMs = begin + (nth * 1000) / perSecond - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    open.push(putMoment(member, `${prefix}/${String(nth)}`, failures));
  }
  await Promise.all(open);
  return failures;
};

async function putMoment(member: Member, key: string, failures: string[]): Promise<void> {
  const value = Buffer.alloc(8);
  value.writeBigUInt64LE(process.hrtime.bigint());
  try {
    await member.store.objects.put({ key, value });
  } catch (error) {
    failures.push(String(error));
  }
}

/** Gets through the store, and the addon's own that are behind `local` ones. */
const getLocally: ParentCall = async (member, argument): Promise<GetRates> => {
  const { prefix, keys: count, size, window, milliseconds } = argument as LocalGets;
  const { objects } = member.store;
  const keys = Array.from({ length: count }, (_, nth) => `${prefix}/${String(nth)}`);
  const value = Buffer.alloc(size, 1);
  await Promise.all(keys.map(async (key) => objects.put({ key, value })));
  const pool = await objects.pool(prefix);
  const shards = keys.map((key) => objects.placement.shardOf(pool, key));
  let nth = 0;
  const next = (): number => nth++ % count;
  const getSome = async (read: ReadLevel): Promise<void> => {
    const gets = Array.from({ length: window }, () => objects.get({ key: keys[next()]!, read }));
    const found = await Promise.all(gets);
    if (found.some((object) => object?.value?.byteLength !== size)) {
      throw new Error('a get found something else');
    }
  };
  const getBare = (): void => {
    const at = next();
    const found = member.core.get(
      shards[at]!,
      keys[at]!,
      readPoints.newest,
      0,
      readFloors.local,
      true,
    );
    if (found?.byteLength !== size) throw new Error('the addon found something else');
  };
  const local = await rateOf(milliseconds, window, () => getSome('local'));
  const linearizable = await rateOf(milliseconds, window, () => getSome('linearizable'));
  const bare = await rateOf(milliseconds, window, () => {
    for (let i = 0; i < window; i++) getBare();
  });
  return { local, linearizable, bare };
};

/** A second, after a fifth of the time that does not count. */
async function rateOf(
  milliseconds: number,
  each: number,
  run: () => Promise<void> | void,
): Promise<number> {
  const until = async (end: number): Promise<number> => {
    let count = 0;
    for (; performance.now() < end; count += each) await run();
    return count;
  };
  await until(performance.now() + milliseconds / 5);
  const began = performance.now();
  const count = await until(began + milliseconds);
  return (count * 1000) / (performance.now() - began);
}

/** Stops the event loop for so many ms, once the parent knows. */
const standStill: ParentCall = async (_member, argument) => {
  await new Promise((resolve) => process.send?.({ type: 'stands' }, resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, argument as number);
  return null;
};

const counters: ParentCall = ({ core }) => Promise.resolve(core.addon.counters(core.handle));

runMemberProcess({
  parts: (extra) => [
    servingPart(extra as ServingOptions, (opened) => {
      ports = opened;
    }),
  ],
  nativeDoor: (extra) => nativeDoorOf(extra as ServingOptions),
  info: () => ports,
  calls: { counters, getLocally, putOneByOne, putPaced, standStill },
});
