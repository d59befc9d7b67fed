/**
 * A lock with a fencing token: only one member controls the runway. Its owner is stopped (a long
 * pause of its process: it cannot know), the others depose it, and when it goes on, what it still
 * wants to do as the owner is refused: its token is old.
 *
 *   npx tsx examples/lock.ts
 */
import {
  FreshetError,
  isFreshetError,
  type ProgramMember,
  Replicated,
  type ReplicatedObject,
  runLocalProgram,
} from '../platform/member/mod.ts';

/** Every member has a copy; ordered calls are run by all, in one order. */
class Runway extends Replicated {
  static readonly calls = {
    acquire: 'ordered',
    depose: 'ordered',
    clearToLand: 'ordered',
    landings: 'p2p',
  } as const;
  #owner = 0;
  #token = 0;
  #landings: string[] = [];

  /** The version of the call that gave the lock is its token: it grows with every owner. */
  acquire(): number {
    const { caller, version } = this.context;
    if (this.#owner !== 0 && this.#owner !== caller) {
      throw new FreshetError('CONDITION_FAILED', `Member ${String(this.#owner)} has the runway`);
    }
    this.#owner = caller;
    this.#token = version;
    return version;
  }

  /** Called by whoever sees that a member has left the view. */
  depose(member: number): void {
    if (this.#owner === member) this.#owner = 0;
  }

  clearToLand(flight: string, token: number): void {
    if (token < this.#token) {
      throw new FreshetError('CONDITION_FAILED', `${flight}: another controls the runway now`);
    }
    this.#landings.push(flight);
  }

  landings(): readonly string[] {
    return this.#landings;
  }

  override snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify([this.#owner, this.#token, this.#landings]));
  }

  override restore(bytes: Uint8Array): void {
    const state = JSON.parse(Buffer.from(bytes).toString()) as [number, number, string[]];
    [this.#owner, this.#token, this.#landings] = state;
  }
}

type RunwayObject = ReplicatedObject<typeof Runway>;

async function start(member: ProgramMember): Promise<RunwayObject> {
  const runway = await member.open(Runway, { name: '/tower/runway', timeoutMs: 60_000 });
  const deposeThoseWhoLeave = async (): Promise<void> => {
    for await (const { left } of member.watchView()) {
      for (const node of left) await runway.ordered.depose(node);
    }
  };
  void deposeThoseWhoLeave();
  return runway;
}

/** The lock, as soon as it is free. */
async function takeOver(runway: RunwayObject): Promise<number> {
  for (;;) {
    try {
      return await runway.ordered.acquire();
    } catch (error) {
      if (!isFreshetError(error, 'CONDITION_FAILED')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const calls = {
  takeOver,
  clearToLand: async (
    runway: RunwayObject,
    [flight, token]: readonly [string, number],
  ): Promise<string> => {
    try {
      await runway.ordered.clearToLand(flight, token);
      return `${flight} may land`;
    } catch (error) {
      if (!isFreshetError(error, 'CONDITION_FAILED')) throw error;
      return `refused: ${error.message}`;
    }
  },
  landings: (runway: RunwayObject) => runway.local.landings(),
};

await runLocalProgram(import.meta.url, {
  start,
  calls,
  main: async (cluster) => {
    const oldToken = await cluster.call(3, 'takeOver');
    const log = [await cluster.call(3, 'clearToLand', ['KL 1', oldToken])];
    cluster.pause(3);
    const token = await cluster.call(1, 'takeOver');
    log.push(await cluster.call(1, 'clearToLand', ['AF 2', token]));
    cluster.resume(3);
    // It believes that it is still the owner.
    log.push(await cluster.call(3, 'clearToLand', ['BA 3', oldToken]));
    return { log, landings: await cluster.call(3, 'landings'), isNewer: token > oldToken };
  },
});
