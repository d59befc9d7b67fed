/**
 * A leader without an election: the first member of the view. All members see the same views, so
 * they agree on it without a message. Each leader signs in; the log shows one for each term.
 *
 *   npx tsx examples/leader.ts
 */
import {
  type ProgramMember,
  Replicated,
  type ReplicatedObject,
  runLocalProgram,
  type ViewEvent,
} from '../platform/member/mod.ts';

/** Who signed in as the leader of which view. */
class Terms extends Replicated {
  static readonly calls = { signIn: 'ordered', all: 'p2p' } as const;
  #terms: [view: number, leader: number][] = [];

  signIn(view: number): void {
    this.#terms.push([view, this.context.caller]);
  }

  all(): readonly (readonly [number, number])[] {
    return this.#terms;
  }

  override snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify(this.#terms));
  }

  override restore(bytes: Uint8Array): void {
    this.#terms = JSON.parse(Buffer.from(bytes).toString()) as [number, number][];
  }
}

interface State {
  readonly member: ProgramMember;
  readonly terms: ReplicatedObject<typeof Terms>;
}

async function start(member: ProgramMember): Promise<State> {
  const terms = await member.open(Terms, { name: '/service/terms', timeoutMs: 60_000 });
  const lead = async (): Promise<void> => {
    for await (const { number, rank } of member.watchView()) {
      if (rank === 0) await terms.ordered.signIn(number);
    }
  };
  void lead();
  return { member, terms };
}

const calls = {
  view: ({ member }: State) => Promise.resolve(member.view),
  terms: ({ terms }: State) => terms.local.all(),
};

await runLocalProgram(import.meta.url, {
  start,
  calls,
  main: async (cluster) => {
    /** What the members see once they agree on who is in. */
    const agreed = async (ids: readonly number[]): Promise<ViewEvent> => {
      for (;;) {
        const views = await Promise.all(ids.map((id) => cluster.call(id, 'view')));
        const [first] = views;
        const isSame = views.every((view) => view?.number === first?.number);
        if (first && isSame && first.members.length === ids.length) return first;
      }
    };
    /** The terms, once the leader of a view has signed in. */
    const termsUpTo = async (view: number): Promise<readonly (readonly [number, number])[]> => {
      for (;;) {
        const terms = await cluster.call(2, 'terms');
        if (terms.some(([term]) => term === view)) return terms;
      }
    };
    const before = await agreed([1, 2, 3]);
    await termsUpTo(before.number);
    await cluster.kill(1);
    const after = await agreed([2, 3]);
    const terms = await termsUpTo(after.number);
    return { leaders: [before.leader, after.leader], terms };
  },
});
