import { isFreshetError } from '../base/mod.ts';
import type { ShardRead } from './shard-access.ts';

const triesMax = 4;

/**
 * A read of what is newest takes its time where the value is long: if that was pruned meanwhile,
 * there is a newer one, which is read then.
 */
export async function lookAgain<Found>(
  { version, at }: Pick<ShardRead, 'version' | 'at'>,
  read: () => Promise<Found>,
): Promise<Found> {
  const isNewest = version === null && at === null;
  for (let tries = 1; ; tries++) {
    try {
      return await read();
    } catch (caught) {
      if (!isNewest || tries === triesMax || !isFreshetError(caught, 'COMPACTED')) throw caught;
    }
  }
}
