/** Members of a cluster with replicated objects, for test/integration/replicated.test.ts. */
import {
  type CallOutcome,
  type ProgramMember,
  Replicated,
  type ReplicatedObject,
  runLocalProgram,
} from '../../platform/member/mod.ts';

/** Keeps every call that it saw, so that copies can be compared call by call. */
export class Ledger extends Replicated {
  static readonly calls = { add: 'ordered', fail: 'ordered', entries: 'p2p' } as const;
  #entries: string[] = [];

  add(text: string): number {
    const { version, time, caller, random } = this.context;
    this.#entries.push([text, version, time, caller, random.u32()].join(' '));
    return this.#entries.length;
  }

  fail(text: string): number {
    this.#entries.push(`failed ${text}`);
    throw new Error(text);
  }

  entries(): readonly string[] {
    return this.#entries;
  }

  override snapshot(): Uint8Array {
    return Buffer.from(JSON.stringify(this.#entries));
  }

  override restore(bytes: Uint8Array): void {
    this.#entries = JSON.parse(Buffer.from(bytes).toString('utf8')) as string[];
  }
}

const ledgers = new Map<string, ReplicatedObject<typeof Ledger>>();
let adding: Promise<void> = Promise.resolve();

function ledger(name: string): ReplicatedObject<typeof Ledger> {
  const found = ledgers.get(name);
  if (found === undefined) throw new Error(`${name} is not open`);
  return found;
}

export const calls = {
  open: async (member, { name, kind, snapshotCalls }) => {
    ledgers.set(name, await member.open(Ledger, { name, kind, snapshotCalls, timeoutMs: 60_000 }));
  },
  add: async (_member, { name, text }) => ledger(name).ordered.add(text),
  fail: async (_member, { name, text }) => {
    await ledger(name).ordered.fail(text);
  },
  everywhere: async (_member, { name, text }) => [...(await ledger(name).everywhere.add(text))],
  entries: async (_member, { name, node }) => ledger(name).p2p(node).entries(),
  /** Adds texts until all are answered; several at a time, without waiting for the end. */
  addMany: async (_member, { name, prefix, count }) => {
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (let nth = lane; nth < count; nth += 4) {
        await ledger(name).ordered.add(`${prefix}${String(nth)}`);
      }
    });
    adding = Promise.all(lanes).then(() => undefined);
    adding.catch(() => undefined);
  },
  whenAdded: () => adding,
  view: (member) => Promise.resolve(member.view),
} satisfies Calls;

interface Text {
  readonly name: string;
  readonly text: string;
}

interface Calls {
  open(
    member: ProgramMember,
    options: { name: string; kind: 'volatile' | 'persistent'; snapshotCalls: number },
  ): Promise<void>;
  add(member: ProgramMember, argument: Text): Promise<number>;
  fail(member: ProgramMember, argument: Text): Promise<void>;
  everywhere(member: ProgramMember, argument: Text): Promise<[number, CallOutcome<number>][]>;
  entries(
    member: ProgramMember,
    argument: { name: string; node: number },
  ): Promise<readonly string[]>;
  addMany(
    member: ProgramMember,
    argument: { name: string; prefix: string; count: number },
  ): Promise<void>;
  whenAdded(): Promise<void>;
  view(member: ProgramMember): Promise<unknown>;
}

await runLocalProgram(import.meta.url, {
  start: (member: ProgramMember) => Promise.resolve(member),
  calls,
  main: () => Promise.resolve(null),
});
