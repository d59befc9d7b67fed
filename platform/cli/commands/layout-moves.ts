import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Clock } from '../../base/mod.ts';
import type { GrpcDoor } from '../../client/grpc/mod.ts';
import { type Carrying, carryOut, inWords } from '../layout-moving.ts';
import type { Output } from '../output.ts';
import { balancingMoves, loadsBetween, runningLines } from '../running-layout.ts';
import { parseNumber, parseWhole, type Session } from '../session.ts';

interface MoveFlags {
  readonly from: string;
  readonly to: string;
  readonly wait: string;
}

interface BalanceFlags {
  readonly dryRun?: boolean;
  readonly max: string;
  readonly measure: string;
  readonly wait: string;
}

const nodeMax = 0xffff_ffff;

/** `freshet layout` of a running cluster: who holds what, moves of whole shards, balancing. */
export function addLayoutMoves(
  layout: Command,
  sessionOf: (command: Command) => Session,
  clock: Clock,
): void {
  layout
    .command('show')
    .description('who holds which shard in the running cluster')
    .option('--config', 'print the layout that counts, as a file for freshet layout apply')
    .action(async (flags: { readonly config?: boolean }, command: Command) => {
      const { output, ...session } = asking(sessionOf(command));
      const report = await session.withDoor(async (door) => door.layout());
      const isConfig = flags.config === true;
      const shown: unknown = isConfig ? JSON.parse(report.source) : report;
      output.either(shown, () => (isConfig ? report.source : runningLines(report).join('\n')));
    });
  layout
    .command('move <shard>')
    .description('move a whole shard to another member, while it is used')
    .requiredOption('--from <id>', 'member that gives its place')
    .requiredOption('--to <id>', 'member that gets it; it is filled first')
    .option('--wait <seconds>', 'how long to wait until it is done', '600')
    .action(async (shard: string, flags: MoveFlags, command: Command) => {
      const { output, ...session } = asking(sessionOf(command));
      const move = {
        shard: parseWhole(shard, '<shard>', 1, nodeMax),
        from: parseWhole(flags.from, '--from', 1, nodeMax),
        to: parseWhole(flags.to, '--to', 1, nodeMax),
      };
      const waitMs = parseNumber(flags.wait, '--wait', 1, 86_400) * 1000;
      await session.withDoor(async (door) => {
        await carryOut(move, carrying(door, output, clock, waitMs));
      });
      output.either({ moved: move }, () => `${inWords(move)}: done`);
    });
  layout
    .command('balance')
    .description("move whole shards so that the members' loads come together")
    .option('--dry-run', 'only say what would be moved')
    .option('--max <n>', 'at most so many moves', '8')
    .option('--measure <seconds>', 'how long puts are counted; 0: all versions that are there', '5')
    .option('--wait <seconds>', 'how long to wait for each move', '600')
    .action(async (flags: BalanceFlags, command: Command) => {
      const { output, ...session } = asking(sessionOf(command));
      await session.withDoor(async (door) => balance(door, flags, output, clock));
    });
}

function asking(session: Session): Pick<Session, 'output' | 'withDoor'> {
  return { output: session.output, withDoor: async (run) => session.withDoor(run) };
}

async function balance(
  door: GrpcDoor,
  flags: BalanceFlags,
  output: Output,
  clock: Clock,
): Promise<void> {
  const max = parseWhole(flags.max, '--max', 1, 256);
  const measureMs = parseNumber(flags.measure, '--measure', 0, 3600) * 1000;
  const waitMs = parseNumber(flags.wait, '--wait', 1, 86_400) * 1000;
  const before = await door.layout();
  if (measureMs > 0) {
    output.note(`counting puts for ${flags.measure} s`);
    await sleep(measureMs);
  }
  const after = measureMs > 0 ? await door.layout() : before;
  const { ofPuts, loadOf } = loadsBetween(before, after);
  if (!ofPuts) output.note('by all versions of each shard, as none came meanwhile');
  const moves = balancingMoves(after, loadOf, max);
  const isDry = flags.dryRun === true;
  if (moves.length === 0 || isDry) {
    const lines = moves.length === 0 ? ['no move would gain enough'] : moves.map(inWords);
    output.either({ moves }, () => lines.join('\n'));
    return;
  }
  for (const move of moves) {
    await carryOut(move, carrying(door, output, clock, waitMs));
    output.either({ moved: move }, () => `${inWords(move)}: done`);
  }
}

function carrying(door: GrpcDoor, output: Output, clock: Clock, waitMs: number): Carrying {
  const note = (text: string): void => {
    output.note(text);
  };
  return { door, clock, sleep, note, waitMs };
}
