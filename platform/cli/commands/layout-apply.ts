import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Clock } from '../../base/mod.ts';
import type { WantedLayout } from '../../client/grpc/mod.ts';
import { applyLayout, changeLines } from '../layout-applying.ts';
import { readLayout } from '../layout-file.ts';
import { parseNumber, parseWhole, type Session } from '../session.ts';

interface ApplyFlags {
  readonly dryRun?: boolean;
  readonly exclusive?: boolean;
  readonly nodeOffset: string;
  readonly expect?: string;
  readonly wait: string;
}

const versionMax = Number.MAX_SAFE_INTEGER;

/** `freshet layout apply`: a running cluster goes over to the layout of a file. */
export function addLayoutApply(
  layout: Command,
  sessionOf: (command: Command) => Session,
  clock: Clock,
): void {
  layout
    .command('apply <file>')
    .description('have the running cluster go over to the layout of this file, while it is used')
    .option('--dry-run', 'only say what would be changed')
    .option(
      '--expect <version>',
      'only if the layout has this version; default: the one it has now',
    )
    .option('--exclusive', 'a member holds one shard, but every one that reserves it')
    .option('--no-exclusive', 'members hold as many shards as it takes')
    .option('--node-offset <n>', 'added to node ids of a layout.json to get members: 0 or 1', '1')
    .option('--wait <seconds>', 'how long to wait until it is done', '600')
    .action(async (file: string, _flags: unknown, command: Command) => {
      // Options that `freshet layout` has as well are given to that one.
      const flags = command.optsWithGlobals<ApplyFlags>();
      await apply(file, flags, sessionOf(command), clock);
    });
}

async function apply(
  file: string,
  flags: ApplyFlags,
  session: Session,
  clock: Clock,
): Promise<void> {
  const { output } = session;
  const { configured, exclusive } = await readLayout(file, {
    exclusive: flags.exclusive ?? null,
    nodeOffset: parseWhole(flags.nodeOffset, '--node-offset', 0, 1) === 0 ? 0 : 1,
  });
  const waitMs = parseNumber(flags.wait, '--wait', 1, 86_400) * 1000;
  configured.notes.forEach((note) => {
    output.note(note);
  });
  await session.withDoor(async (door) => {
    const expect =
      flags.expect === undefined
        ? (await door.layout()).version
        : parseWhole(flags.expect, '--expect', 1, versionMax);
    const { subgroups } = configured;
    const wanted: WantedLayout = { subgroups, exclusive, expect, dryRun: true };
    const planned = await door.changeLayout(wanted);
    output.either(planned, () => changeLines(planned).join('\n'));
    if (flags.dryRun === true) return;
    const note = (text: string): void => {
      output.note(text);
    };
    const left = await applyLayout(wanted, planned, { door, clock, sleep, note, waitMs });
    if (planned.from !== planned.to || left !== null) {
      const applied = { applied: planned.to, done: left === null, waitsFor: left };
      output.either(applied, () => outcomeLines(planned.to, left).join('\n'));
    }
  });
}

/** `left`: what is not as it is to be; null: nothing. */
function outcomeLines(version: number, left: string | null): string[] {
  const name = `layout version ${String(version)}`;
  if (left === null) return [`${name}: done`];
  return [
    `${name} counts, and is being carried out: ${left}`,
    'It goes on by itself: freshet layout show says how far it is',
  ];
}
