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

/** A call of the program's main part to one of its members. Values are structured-clonable. */
export type MemberCall<Argument> = (member: ProgramMember, argument: Argument) => Promise<unknown>;

export type MemberCalls = Readonly<Record<string, MemberCall<never>>>;

/** The members as the main part of a program sees them. */
export interface ProgramCluster<Calls extends MemberCalls> {
  /** Node ids, from 1. */
  readonly ids: readonly number[];
  /** Rejects UNREACHABLE when the member ends meanwhile, else as the call does. */
  call<Name extends keyof Calls & string>(
    id: number,
    name: Name,
    ...argument: Parameters<Calls[Name]>[1] extends undefined ? [] : [Parameters<Calls[Name]>[1]]
  ): Promise<Awaited<ReturnType<Calls[Name]>>>;
  /** Ends a member at once, as kill -9 does. */
  kill(id: number): Promise<void>;
  /** Starts one again that was killed; resolves once its shards run. */
  start(id: number): Promise<void>;
}

export interface LocalProgram<Calls extends MemberCalls> {
  /** Default 3. */
  readonly members?: number;
  /** What members can be asked by the main part. */
  readonly calls: Calls;
  /** Runs beside the members; what it returns is printed. */
  readonly main: (cluster: ProgramCluster<Calls>) => Promise<unknown>;
}

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
export async function runLocalProgram<Calls extends MemberCalls>(
  url: string,
  program: LocalProgram<Calls>,
): Promise<void> {
  const file = fileURLToPath(url);
  const started = process.argv[1];
  if (started === undefined || (await realpath(started)) !== file) {
    return;
  }
  if (process.env[memberMark] === '1') {
    runProgramMember(program.calls);
    return;
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'freshet-program-'));
  try {
    const cluster = await startLocalCluster({
      members: program.members ?? 3,
      dataFolder: folder,
      entry: file,
      env: memberEnvironment(),
      config: { memory, logLevel: 'error' },
    });
    try {
      await cluster.whenRunning();
      process.stdout.write(`${JSON.stringify(await program.main(toCluster(cluster)), null, 2)}\n`);
    } finally {
      await cluster.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The members of a running local cluster, for the main part of a program. */
export function toCluster<Calls extends MemberCalls>(cluster: LocalCluster): ProgramCluster<Calls> {
  return {
    ids: cluster.members.map(({ id }) => id),
    call: async (id, name, ...argument) =>
      (await cluster.call(id, name, argument[0] ?? null)) as never,
    kill: (id) => cluster.kill(id),
    start: async (id) => {
      await cluster.start(id);
      await cluster.whenRunning();
    },
  };
}

function runProgramMember(calls: MemberCalls): void {
  let own: ProgramMember | null = null;
  const entries = Object.entries(calls).map(([name, call]): [string, ParentCall] => [
    name,
    (_member, argument) => {
      if (own === null) throw new Error('A call came before the member was made');
      return call(own, argument as never);
    },
  ]);
  runMemberProcess({
    calls: Object.fromEntries(entries),
    parts: () => [
      (member) => {
        const made = new ProgramMember(member);
        own = made;
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
