import type { Command } from 'commander';
import { checkKey } from '../../base/mod.ts';
import {
  pullFolder,
  pushFolder,
  type Database,
  type SyncChange,
  type SyncProgress,
} from '../../client/mod.ts';
import type { Output } from '../output.ts';
import { parseMoment, type Session } from '../session.ts';

interface SyncFlags {
  readonly delete?: boolean;
  readonly dryRun?: boolean;
  readonly at?: string;
}

const bytesPerMiB = 2 ** 20;

/** `freshet sync push` and `pull`: the files of a folder as objects under a prefix, and back. */
export function addSyncCommand(
  program: Command,
  sessionOf: (command: Command) => Session,
  nowUs: () => number,
): void {
  const sync = program
    .command('sync')
    .description('copy a folder into a pool, or back; what is equal is left alone');
  withFlags(sync.command('push <folder> <prefix>'))
    .description('put the files of a folder: a/b becomes <prefix>/a/b')
    .action(async (folder: string, prefix: string, flags: SyncFlags, command: Command) => {
      await run(sessionOf(command), flags, prefix, ({ door }, options) =>
        pushFolder(door, { folder, ...options }),
      );
    });
  withFlags(sync.command('pull <prefix> <folder>'))
    .description('write objects as files: <prefix>/a/b becomes a/b')
    .option('--at <moment>', 'as of a moment: µs, ISO date, or -30s')
    .action(async (prefix: string, folder: string, flags: SyncFlags, command: Command) => {
      const at = flags.at === undefined ? {} : { at: parseMoment(flags.at, '--at', nowUs()) };
      await run(sessionOf(command), flags, prefix, ({ door }, options) =>
        pullFolder(door, { folder, ...options, ...at }),
      );
    });
}

function withFlags(command: Command): Command {
  return command
    .option('--delete', 'also remove, at the target, what the source has not got')
    .option('--dry-run', 'only say what would be done');
}

type SyncCommon = Parameters<typeof pushFolder>[1] extends infer Options
  ? Omit<Options, 'folder'>
  : never;

async function run(
  session: Session,
  flags: SyncFlags,
  given: string,
  copy: (db: Database, options: SyncCommon) => Promise<SyncProgress>,
): Promise<void> {
  const { output } = session;
  const prefix = checkKey(given.replace(/\/+$/, ''));
  const isDry = flags.dryRun === true;
  const options = {
    ...{ prefix, dryRun: isDry, remove: flags.delete === true },
    onChange: (change: SyncChange) => {
      if (isDry) tell(output, change);
    },
    onProgress: (progress: SyncProgress) => {
      output.progress(`${String(progress.files)} of ${summary(progress)}`);
    },
  };
  try {
    const done = await session.withDatabase((db) => copy(db, options));
    output.endProgress();
    output.either({ ...done, dryRun: isDry }, () => `${isDry ? 'would be: ' : ''}${summary(done)}`);
  } catch (caught) {
    output.endProgress();
    throw caught;
  }
}

function tell(output: Output, { kind, path }: SyncChange): void {
  output.either({ [kind]: path }, () => `${kind} ${path}`);
}

function summary({ filesAll, copied, copiedBytes, unchanged, removed }: SyncProgress): string {
  const files = `${String(filesAll)} file${filesAll === 1 ? '' : 's'}`;
  const size = `${(copiedBytes / bytesPerMiB).toFixed(1)} MiB`;
  const rest = removed === 0 ? '' : `, ${String(removed)} removed`;
  return `${files}: ${String(copied)} copied (${size}), ${String(unchanged)} unchanged${rest}`;
}
