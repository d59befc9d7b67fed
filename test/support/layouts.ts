/** Clusters of processes whose layout is changed while they are written to. */
import { expect } from 'vitest';
import type { LayoutChange } from '../../platform/base/mod.ts';
import type { SubgroupOptions } from '../../platform/group/mod.ts';
import type { LocalCluster } from '../../platform/local-cluster.ts';
import { until } from './mod.ts';

/** Numbers of each prefix, so that those of two are told apart. */
const numbersEach = 100_000;
const prefixes = ['/milk/w', '/barn/w'];

interface WriterMessage {
  readonly type: string;
  readonly number: number;
  readonly code: string;
  readonly message: string;
}

/** `told`: what writers were told to be durable; `ended`: why one stopped. */
export async function startWriting(running: LocalCluster, prefix: string, at: readonly number[]) {
  const nth = prefixes.indexOf(prefix);
  const isMine = (number: number): boolean => Math.floor(number / numbersEach) % 10 === nth;
  const told: number[] = [];
  const ended: string[] = [];
  for (const { id, process } of running.members) {
    if (!at.includes(id)) continue;
    process?.on('message', (message: WriterMessage) => {
      const isTold = message.type === 'acknowledged' && isMine(message.number);
      if (isTold) told.push(message.number);
      if (message.type === 'writerEnded')
        ended.push(`${String(id)}: ${message.code}, ${message.message}`);
    });
    const first = id * 10 * numbersEach + nth * numbersEach;
    await running.call(id, 'writeUntilFailure', { prefix, lanes: 2, first });
  }
  const whenMore = (count: number): Promise<void> => {
    const enough = told.length + count;
    return until(() => Promise.resolve(told.length >= enough || ended.length > 0));
  };
  return { told, ended, whenMore };
}

export async function expectFound(
  running: LocalCluster,
  at: number,
  prefix: string,
  told: readonly number[],
): Promise<void> {
  const keys = new Set((await running.call(at, 'list', prefix)) as string[]);
  const lost = told.filter((n) => !keys.has(`${prefix}/${String(n % 97)}/${String(n)}`));
  expect({ at, lost }).toEqual({ at, lost: [] });
}

export function request(subgroups: readonly SubgroupOptions[], given: object = {}): object {
  return { subgroups, exclusive: null, expect: null, dryRun: false, ...given };
}

/** Asked at a member, until the layout says so already: whoever led may have gone. */
export async function whenInForce(
  running: LocalCluster,
  at: number,
  wanted: object,
): Promise<number> {
  let version = 0;
  await until(async () => {
    try {
      const { from, to } = (await running.call(at, 'changeLayout', wanted)) as LayoutChange;
      version = to;
      return from === to;
    } catch (caught) {
      if ((caught as { retryable?: boolean }).retryable !== true) throw caught;
      return false;
    }
  });
  return version;
}
