import { setTimeout as pause } from 'node:timers/promises';
import { type GetRequest, type PutRequest, toFreshetError } from '../../platform/base/mod.ts';
import { parseLayoutRequest, type ShardMove } from '../../platform/group/mod.ts';
import { type ParentCall, runMemberProcess } from '../../platform/member-process.ts';
import type { PoolOptions } from '../../platform/store/mod.ts';

/** Numbers that were acknowledged, while a writer of this process goes on until something fails. */
const acknowledged: number[] = [];
let writing: Promise<void> = Promise.resolve();

const writeUntilFailure: ParentCall = (member, argument) => {
  const { prefix, lanes, first, valueBytes, pauseMs } = argument as {
    readonly prefix: string;
    readonly lanes: number;
    readonly first: number;
    readonly valueBytes?: number;
    readonly pauseMs?: number;
  };
  let next = first;
  const lane = async (): Promise<void> => {
    for (;;) {
      const number = next++;
      const value = Buffer.from(String(number).padEnd(valueBytes ?? 0));
      const key = `${prefix}/${String(number % 97)}/${String(number)}`;
      try {
        await member.store.objects.put({ key, value, timeoutMs: 2000 });
        // Told at once: this process may be dead in the next moment.
        process.send?.({ type: 'acknowledged', number });
        acknowledged.push(number);
        if (pauseMs !== undefined && pauseMs > 0) await pause(pauseMs);
      } catch (caught) {
        const { code, message } = toFreshetError(caught);
        process.send?.({ type: 'writerEnded', code, message });
        return;
      }
    }
  };
  writing = Promise.all(Array.from({ length: lanes }, lane)).then(() => undefined);
  return Promise.resolve(null);
};

const calls: Readonly<Record<string, ParentCall>> = {
  createPool: (member, options) => member.store.objects.createPool(options as PoolOptions),
  removePool: async (member, name) => {
    await member.store.objects.removePool(name as string);
    return null;
  },
  /** Dies as soon as it has said that the pool is leaving. */
  dieRemovingPool: async (member, name) => {
    const { catalog, objects } = member.store;
    const replace = catalog.replace.bind(catalog);
    catalog.replace = async (...given) => {
      const version = await replace(...given);
      process.kill(process.pid, 'SIGKILL');
      return version;
    };
    await objects.removePool(name as string);
    return null;
  },
  poolsLeaving: ({ store }, name) =>
    Promise.resolve(store.objects.directory.leaving(name as string).length),
  put: (member, request) => member.store.objects.put(request as PutRequest),
  get: (member, request) => member.store.objects.get(request as GetRequest),
  list: async (member, prefix) => {
    const keys: string[] = [];
    for await (const key of member.store.objects.list({ prefix: prefix as string })) {
      keys.push(key);
    }
    return keys;
  },
  status: (member) => Promise.resolve(member.group.status),
  holders: (member, shard) => Promise.resolve(member.group.holders(shard as number)),
  move: async (member, move) => {
    await member.group.move(move as ShardMove);
    return null;
  },
  changeLayout: async (member, request) => member.group.changeLayout(parseLayoutRequest(request)),
  layoutVersion: (member) => Promise.resolve(member.group.layoutVersion),
  /** Every shard has the members that it is to have. */
  isLaidOut: ({ group }) => {
    const sorted = (nodes: readonly number[]): string => [...nodes].sort().join();
    const isDone = ([shard, nodes]: readonly [number, readonly number[]]): boolean =>
      sorted(group.holders(shard)) === sorted(nodes);
    return Promise.resolve([...group.wanted].every(isDone));
  },
  opened: (member) => Promise.resolve(member.group.care.opened),
  frontier: (member, pool) => member.store.objects.frontier(pool as string),
  writeUntilFailure,
  whenWritten: async () => {
    await writing;
    return acknowledged.length;
  },
};

runMemberProcess({ calls });
