/**
 * Chain replication (van Renesse, Schneider, OSDI 2004) on the membership API: the view is the
 * chain. Updates enter at its head and pass member by member to its tail, are applied there first,
 * and then back to the head; queries go to the tail. When a member fails, the view says who its
 * neighbours are now, and they send each other what may have been on its way.
 *
 *   npx tsx examples/chain.ts
 */
import { type Channel, type ProgramMember, runLocalProgram } from '../platform/member/mod.ts';

interface Update {
  readonly nth: number;
  readonly key: string;
  readonly value: string;
}

/** To one neighbour: `down` the chain to be applied, `up` once it is. */
type Message =
  | { readonly type: 'down'; readonly to: number; readonly update: Update }
  | { readonly type: 'up'; readonly to: number; readonly update: Update };

class Link {
  readonly #me: number;
  readonly #values = new Map<string, string>();
  /** Seen on the way down, not applied yet, by number. */
  readonly #pending = new Map<number, Update>();
  readonly #waiting = new Map<number, () => void>();
  #applied = 0;
  #chain: readonly number[] = [];
  #channel: Channel<Message> | null = null;

  private constructor(me: number) {
    this.#me = me;
  }

  static async open(member: ProgramMember): Promise<Link> {
    const link = new Link(member.nodeId);
    link.#channel = await member.channel<Message>({
      name: '/chain/updates',
      timeoutMs: 60_000,
      onEvent: (event) => {
        if (event.type === 'view') link.#onView(event.members);
        else if (event.type === 'message') link.#onMessage(event.message);
      },
    });
    return link;
  }

  get chain(): readonly number[] {
    return this.#chain;
  }

  /** At the head. Resolves once every member of the chain has applied it. */
  async put(key: string, value: string): Promise<void> {
    const nth = this.#applied + this.#pending.size + 1;
    const applied = new Promise<void>((resolve) => this.#waiting.set(nth, resolve));
    this.#onDown({ nth, key, value });
    await applied;
  }

  get(key: string): string | null {
    return this.#values.get(key) ?? null;
  }

  #neighbour(by: 1 | -1): number | null {
    return this.#chain[this.#chain.indexOf(this.#me) + by] ?? null;
  }

  #onView(members: readonly number[]): void {
    this.#chain = members;
    // The new neighbour below may lack these, and drops those that it has.
    for (const update of [...this.#pending.values()]) this.#onDown(update);
  }

  #onMessage({ type, to, update }: Message): void {
    if (to !== this.#me) return;
    if (type === 'up') this.#apply(update);
    // What is applied here already was on its way up when a member failed.
    else if (update.nth <= this.#applied) this.#send('up', update);
    else this.#onDown(update);
  }

  #onDown(update: Update): void {
    this.#pending.set(update.nth, update);
    if (this.#neighbour(1) === null) this.#apply(update);
    else this.#send('down', update);
  }

  #apply(update: Update): void {
    if (this.#pending.delete(update.nth)) {
      this.#values.set(update.key, update.value);
      this.#applied = update.nth;
      this.#waiting.get(update.nth)?.();
    }
    this.#send('up', update);
  }

  /** First in, first out on the whole way, so updates are applied as the head numbered them. */
  #send(type: 'down' | 'up', update: Update): void {
    const to = this.#neighbour(type === 'down' ? 1 : -1);
    if (to !== null) void this.#channel?.fbcast({ type, to, update });
  }
}

const calls = {
  put: (link: Link, [key, value]: readonly [string, string]) => link.put(key, value),
  get: (link: Link, key: string) => Promise.resolve(link.get(key)),
  chain: (link: Link) => Promise.resolve(link.chain),
};

await runLocalProgram(import.meta.url, {
  members: 4,
  config: { subgroups: [{ name: 'volatile', kind: 'volatile', shards: 1, replicas: 4 }] },
  start: (member: ProgramMember) => Link.open(member),
  calls,
  main: async (cluster) => {
    const [head = 1, second = 2, third = 3, tail = 4] = await cluster.call(1, 'chain');
    const chain = () => cluster.call(head, 'chain');
    const read = async () => cluster.call((await chain()).at(-1) ?? head, 'get', 'tower');
    await cluster.call(head, 'put', ['tower', 'open']);
    const reads = [await read()];
    // First one in the middle dies, then the tail, each with an update on its way through it.
    for (const [node, value] of [
      [second, 'closed'],
      [tail, 'open again'],
    ] as const) {
      cluster.pause(node);
      const put = cluster.call(head, 'put', ['tower', value]);
      await cluster.kill(node);
      await put;
      reads.push(await read());
    }
    const copies = await Promise.all([head, third].map((id) => cluster.call(id, 'get', 'tower')));
    const isLeft = (await chain()).join() === [head, third].join();
    return { reads, copies, isLeft };
  },
});
