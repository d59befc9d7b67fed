/**
 * One program, several members: the file of a program is run by its user, and again as every member
 * of a cluster on this machine. Examples and trials; a real cluster starts one member a machine.
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts';
import { type ParentCall, runMemberProcess } from '../member-process.ts';
import { ProgramMember } from './program-member.ts';

/**
 * A call of the program's main part to one of its members, on what its `start` has made. Arguments
 * and results are structured-clonable.
 */
export type MemberCall<State> = (state: State, argument: never) => Promise<unknown>;

export type MemberCalls<State> = Readonly<Record<string, MemberCall<State>>>;

/** A call takes one argument, or none. */
type ArgumentOf<Call> = Call extends (state: never, argument: infer Argument) => unknown
  ? unknown extends Argument
    ? []
    : [Argument]
  : never;

type ResultOf<Call> = Call extends (...args: never) => infer Result ? Awaited<Result> : never;

/** The members as the main part of a program sees them. */
export interface ProgramCluster<Calls> {
  /** Node ids, from 1. */
  readonly ids: readonly number[];
  /** Rejects UNREACHABLE when the member ends meanwhile, else as the call does. */
  call<Name extends keyof Calls & string>(
    id: number,
    name: Name,
    ...argument: ArgumentOf<Calls[Name]>
  ): Promise<ResultOf<Calls[Name]>>;
  /** Ends a member at once, as kill -9 does. */
  kill(id: number): Promise<void>;
  /** Starts one again that was killed; resolves once its shards run and its `start` is done. */
  start(id: number): Promise<void>;
  /** Stops a member's process as it is (SIGSTOP), and lets it go on. */
  pause(id: number): void;
  resume(id: number): void;
}

export interface LocalProgram<State, Calls extends MemberCalls<State>> {
  /** Default 3. */
  readonly members?: number;
  /** Further settings of every member's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** At every member, once its shards run. */
  readonly start: (member: ProgramMember) => Promise<State>;
  /** What members can be asked by the main part. */
  readonly calls: Calls;
  /** Runs beside the members; what it returns is printed as JSON. */
  readonly main: (cluster: ProgramCluster<Calls>) => Promise<unknown>;
}

/** Asked of every member: whether its `start` is done. */
const startedCall = 'started';

/** Set in the processes of members; a channel to a parent may have other reasons. */
const memberMark = 'FRESHET_PROGRAM_MEMBER';

/** Environment of the processes that run the members of a program. */
export function memberEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, [memberMark]: '1' };
}

const memory = { ringBudgetBytes: 24 * 1024 * 1024 };

/**
 * Call once, at the end of a file, with its `import.meta.url`. Where the file is what Node was told
 * to run, it starts the members and runs `main`; in a member's process, it becomes that member;
 * where it is only imported, nothing happens.
 */
export async function runLocalProgram<State, Calls extends MemberCalls<State>>(
  url: string,
  program: LocalProgram<State, Calls>,
): Promise<void> {
  const file = fileURLToPath(url);
  const started = process.argv[1];
  if (started === undefined || (await realpath(started)) !== file) {
    return;
  }
  if (process.env[memberMark] === '1') {
    runProgramMember(program);
    return;
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'freshet-program-'));
  try {
    const cluster = await startLocalCluster({
      members: program.members ?? 3,
      dataFolder: folder,
      entry: file,
      env: memberEnvironment(),
      config: { memory, logLevel: 'error', ...program.config },
    });
    try {
      const outcome = await program.main(await toCluster(cluster));
      process.stdout.write(`${JSON.stringify(outcome, null, 2)}\n`);
    } finally {
      await cluster.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The members of a local cluster, for the main part of a program, once all have started. */
export async function toCluster<Calls>(cluster: LocalCluster): Promise<ProgramCluster<Calls>> {
  const ids = cluster.members.map(({ id }) => id);
  const signal = (id: number, name: NodeJS.Signals): void => {
    cluster.members.find((member) => member.id === id)?.process?.kill(name);
  };
  await Promise.all(ids.map((id) => cluster.call(id, startedCall)));
  return {
    ids,
    call: async (id, name, ...argument) =>
      (await cluster.call(id, name, (argument as readonly unknown[])[0] ?? null)) as never,
    kill: (id) => cluster.kill(id),
    start: async (id) => {
      await cluster.start(id);
      await cluster.call(id, startedCall);
    },
    pause: (id) => signal(id, 'SIGSTOP'),
    resume: (id) => signal(id, 'SIGCONT'),
  };
}

function runProgramMember<State>({ start, calls }: LocalProgram<State, MemberCalls<State>>): void {
  let started: Promise<State> | null = null;
  const whenStarted = async (): Promise<State> => {
    if (started === null) throw new Error('A call came before the member was made');
    return started;
  };
  const entries = Object.entries(calls).map(([name, call]): [string, ParentCall] => [
    name,
    async (_member, argument) => call(await whenStarted(), argument as never),
  ]);
  const isStarted: ParentCall = async () => {
    await whenStarted();
    return null;
  };
  runMemberProcess({
    calls: { ...Object.fromEntries(entries), [startedCall]: isStarted },
    parts: () => [
      (member) => {
        const made = new ProgramMember(member);
        started = made.whenRunning().then(() => start(made));
        // Whoever calls is told.
        started.catch(() => undefined);
        return Promise.resolve({
          close: () => {
            made.closeObjects();
            return Promise.resolve();
          },
        });
      },
    ],
  });
}
