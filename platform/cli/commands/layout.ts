import type { Command } from 'commander';
import { type Clock, FreshetError } from '../../base/mod.ts';
import { planShards, type LayoutPlan, resolveLayout } from '../../group/mod.ts';
import { readLayout } from '../layout-file.ts';
import { layoutLines, showLayout } from '../layout-view.ts';
import { parseWhole, type Session } from '../session.ts';
import { addLayoutApply } from './layout-apply.ts';
import { addLayoutMoves } from './layout-moves.ts';

interface LayoutFlags {
  readonly members?: string;
  readonly then?: readonly string[];
  readonly exclusive?: boolean;
  readonly nodeOffset: string;
}

/** `freshet layout FILE`: who would hold what, without any member running. */
export function addLayoutCommand(
  program: Command,
  sessionOf: (command: Command) => Session,
  clock: Clock,
): void {
  const layout = program
    .command('layout <file>')
    .description('who would hold which shard, by a configuration or a layout.json of Cascade')
    .option('--members <ids>', 'members present, in rank order: 1,2,3; default: those of the file')
    .option('--then <ids...>', 'and afterwards, one list for each change')
    .option('--exclusive', 'a member holds one shard, but every one that reserves it')
    .option('--no-exclusive', 'members hold as many shards as it takes')
    .option('--node-offset <n>', 'added to node ids of a layout.json to get members: 0 or 1', '1')
    .action(async (file: string, flags: LayoutFlags, command: Command) => {
      await showPlans(file, flags, sessionOf(command));
    });
  addLayoutMoves(layout, sessionOf, clock);
  addLayoutApply(layout, sessionOf, clock);
}

async function showPlans(file: string, flags: LayoutFlags, { output }: Session): Promise<void> {
  const { configured, members } = await readLayout(file, {
    exclusive: flags.exclusive ?? null,
    nodeOffset: parseWhole(flags.nodeOffset, '--node-offset', 0, 1) === 0 ? 0 : 1,
  });
  const layout = resolveLayout(configured.subgroups, configured.exclusive);
  configured.notes.forEach((note) => {
    output.note(note);
  });
  const first = flags.members === undefined ? members : parseMembers(flags.members, '--members');
  if (first.length === 0) {
    throw new FreshetError('INVALID_ARGUMENT', `'${file}' names no members`, {
      mend: 'Give them: --members 1,2,3',
    });
  }
  const steps = [first, ...(flags.then ?? []).map((list) => parseMembers(list, '--then'))];
  let plan: LayoutPlan | null = null;
  let before: readonly number[] = [];
  for (const present of steps) {
    const joining = present.filter((node) => !before.includes(node));
    plan = planShards(layout, plan, present, joining);
    const shown = showLayout(layout, plan, present);
    const title =
      before.length === 0 ? [] : ['', `then with ${present.map(String).join(', ')}`, ''];
    output.either(shown, () => [...title, ...layoutLines(shown)].join('\n'));
    before = present;
  }
}

function parseMembers(list: string, option: string): readonly number[] {
  const nodes = list.split(',').map((part) => parseWhole(part, option, 1, 0xffff_ffff));
  const twice = nodes.find((node, nth) => nodes.indexOf(node) !== nth);
  if (twice !== undefined) {
    throw new FreshetError('INVALID_ARGUMENT', `${option} names member ${String(twice)} twice`, {
      mend: `Name member ${String(twice)} once`,
    });
  }
  return nodes;
}
