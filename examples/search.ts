/**
 * k members search a large collection, a kth each, and one dies in the middle of it. Every member
 * has the whole collection and hears of the query; who searches which part follows from the view.
 * What a failed member had not answered is shared out among those who go on, so the answer is
 * complete.
 *
 *   npx tsx examples/search.ts
 */
import { type Channel, type ProgramMember, runLocalProgram } from '../platform/member/mod.ts';

type Message =
  | {
      readonly type: 'query';
      readonly id: number;
      readonly divisor: number;
      readonly parts: number;
    }
  | {
      readonly type: 'found';
      readonly id: number;
      readonly part: number;
      readonly by: number;
      readonly matches: readonly number[];
    };

type Found = Extract<Message, { type: 'found' }>;
type Query = Extract<Message, { type: 'query' }>;

const collection = Array.from({ length: 30_000 }, (_, nth) => nth + 1);
const partsPerMember = 4;

class Searcher {
  readonly #me: number;
  readonly #queries = new Map<number, Query>();
  /** Per query and part: its answer; and those that this member has begun. */
  readonly #found = new Map<string, Found>();
  readonly #begun = new Set<string>();
  #members: readonly number[] = [];
  #channel: Channel<Message> | null = null;
  #onFound: () => void = () => undefined;

  private constructor(me: number) {
    this.#me = me;
  }

  static async open(member: ProgramMember): Promise<Searcher> {
    const searcher = new Searcher(member.nodeId);
    searcher.#channel = await member.channel<Message>({
      name: '/search/queries',
      timeoutMs: 60_000,
      onEvent: (event) => {
        if (event.type === 'view') searcher.#members = event.members;
        if (event.type === 'message') searcher.#onMessage(event.message);
        searcher.#shareOut();
      },
    });
    return searcher;
  }

  get answered(): number {
    return this.#found.size;
  }

  /** All parts of a query, once each was searched by someone. */
  async search(id: number, divisor: number): Promise<readonly Found[]> {
    const parts = this.#members.length * partsPerMember;
    await this.#channel?.fbcast({ type: 'query', id, divisor, parts });
    for (;;) {
      const all = [...this.#found.values()].filter((found) => found.id === id);
      if (all.length === parts) return all;
      await new Promise<void>((resolve) => {
        this.#onFound = resolve;
      });
    }
  }

  #onMessage(message: Message): void {
    if (message.type === 'query') {
      this.#queries.set(message.id, message);
    } else {
      const part = `${String(message.id)}/${String(message.part)}`;
      // Of two that searched the same part, the first is as good as the second.
      if (!this.#found.has(part)) this.#found.set(part, message);
      this.#onFound();
    }
  }

  /** Begins with the parts that are this member's in the view as it is. */
  #shareOut(): void {
    for (const { id, divisor, parts } of this.#queries.values()) {
      for (let part = 0; part < parts; part++) {
        const name = `${String(id)}/${String(part)}`;
        const isMine = this.#members[part % this.#members.length] === this.#me;
        if (!isMine || this.#found.has(name) || this.#begun.has(name)) continue;
        this.#begun.add(name);
        void this.#searchPart(id, part, parts, divisor);
      }
    }
  }

  async #searchPart(id: number, part: number, parts: number, divisor: number): Promise<void> {
    const size = Math.ceil(collection.length / parts);
    const matches = collection
      .slice(part * size, (part + 1) * size)
      .filter((number) => number % divisor === 0);
    // Member 3 answers for its first part and is slow with the others: it is to die meanwhile.
    const isFirst = part < this.#members.length;
    if (this.#me === 3 && !isFirst) await new Promise((resolve) => setTimeout(resolve, 60_000));
    await this.#channel?.fbcast({ type: 'found', id, part, by: this.#me, matches });
  }
}

const calls = {
  search: (searcher: Searcher, divisor: number) => searcher.search(1, divisor),
  answered: (searcher: Searcher) => Promise.resolve(searcher.answered),
};

await runLocalProgram(import.meta.url, {
  start: (member: ProgramMember) => Searcher.open(member),
  calls,
  main: async (cluster) => {
    const searching = cluster.call(1, 'search', 997);
    // Two members have answered for their parts, the third for one of its four.
    while ((await cluster.call(1, 'answered')) < 2 * partsPerMember + 1);
    await cluster.kill(3);
    const found = await searching;
    const matches = found.flatMap((one) => one.matches).sort((a, b) => a - b);
    const count = (by: number): number => found.filter((one) => one.by === by).length;
    return { matches, partsBy: { 1: count(1), 2: count(2), 3: count(3) } };
  },
});
