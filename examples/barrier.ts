/**
 * A barrier: nobody goes on to the next round before all have come to its end. Who fails is not
 * waited for: the view says who is there.
 *
 *   npx tsx examples/barrier.ts
 */
import { type Channel, type ProgramMember, runLocalProgram } from '../platform/member/mod.ts';

class Barrier {
  readonly #arrived = new Map<number, Set<number>>();
  readonly #waiting = new Map<number, () => void>();
  #members: readonly number[] = [];
  #channel: Channel<number> | null = null;

  static async open(member: ProgramMember, name: string): Promise<Barrier> {
    const barrier = new Barrier();
    barrier.#channel = await member.channel<number>({
      name,
      timeoutMs: 60_000,
      onEvent: (event) => {
        if (event.type === 'view') barrier.#members = event.members;
        if (event.type === 'message') barrier.#arrivedAt(event.message).add(event.from);
        barrier.#openThoseComplete();
      },
    });
    return barrier;
  }

  /** Resolves with who was there, once all members have called it for the round. */
  async arrive(round: number): Promise<readonly number[]> {
    const opened = new Promise<void>((resolve) => this.#waiting.set(round, resolve));
    await this.#channel?.fbcast(round);
    await opened;
    return [...this.#arrivedAt(round)].sort();
  }

  /** Rounds at which a member waits here. */
  get waiting(): readonly number[] {
    return [...this.#waiting.keys()];
  }

  #arrivedAt(round: number): Set<number> {
    const arrived = this.#arrived.get(round) ?? new Set();
    this.#arrived.set(round, arrived);
    return arrived;
  }

  #openThoseComplete(): void {
    for (const [round, open] of this.#waiting) {
      const arrived = this.#arrivedAt(round);
      if (this.#members.every((node) => arrived.has(node))) {
        this.#waiting.delete(round);
        open();
      }
    }
  }
}

const calls = {
  arrive: (barrier: Barrier, round: number) => barrier.arrive(round),
  waiting: (barrier: Barrier) => Promise.resolve(barrier.waiting),
};

await runLocalProgram(import.meta.url, {
  start: (member: ProgramMember) => Barrier.open(member, '/crew/barrier'),
  calls,
  main: async (cluster) => {
    const first = [1, 2].map((id) => cluster.call(id, 'arrive', 1));
    // Two are there, and stay there: the third has not come.
    const waiting: number[] = [];
    while (waiting.length < 2) {
      const rounds = await Promise.all([1, 2].map((id) => cluster.call(id, 'waiting')));
      waiting.splice(0, waiting.length, ...rounds.flat());
    }
    first.push(cluster.call(3, 'arrive', 1));
    const round1 = await Promise.all(first);
    const second = [1, 2].map((id) => cluster.call(id, 'arrive', 2));
    await cluster.kill(3);
    const round2 = await Promise.all(second);
    return { waiting, round1, round2 };
  },
});
