import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Type } from 'typebox';
import { type Clock, FreshetError, messageOf, nearestName, parseConfig } from '../../base/mod.ts';
import {
  cascadeLayout,
  type ConfiguredLayout,
  configuredLayout,
  layoutSettings,
} from '../../configured-layout.ts';
import { planShards, type LayoutPlan, resolveLayout } from '../../group/mod.ts';
import { MemberConfigSchema } from '../../node.ts';
import { layoutLines, showLayout } from '../layout-view.ts';
import { parseWhole, type Session } from '../session.ts';
import { addLayoutMoves } from './layout-moves.ts';

interface LayoutFlags {
  readonly members?: string;
  readonly then?: readonly string[];
  readonly exclusive?: boolean;
  readonly nodeOffset: string;
}

/** What of a member's configuration makes the layout. */
const FileSchema = Type.Object({
  ...layoutSettings,
  members: Type.Array(Type.Object({ id: Type.Integer({ minimum: 1 }) }), { default: [] }),
});

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
}

async function showPlans(file: string, flags: LayoutFlags, { output }: Session): Promise<void> {
  const { configured, members } = await readLayout(file, flags);
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

interface ReadLayout {
  readonly configured: ConfiguredLayout;
  readonly members: readonly number[];
}

async function readLayout(file: string, flags: LayoutFlags): Promise<ReadLayout> {
  const text = await readText(file);
  const nodeOffset = parseWhole(flags.nodeOffset, '--node-offset', 0, 1) === 0 ? 0 : 1;
  const exclusive = flags.exclusive ?? null;
  if (/^\s*'?\s*\[/.test(text)) {
    const layout = { exclusive, nodeOffset } as const;
    return { configured: cascadeLayout(text, file, layout), members: [] };
  }
  const settings = parseConfig(FileSchema, layoutPart(text, file), { source: file });
  const layout = exclusive === null ? settings.layout : { ...settings.layout, exclusive };
  const configured = await configuredLayout({ ...settings, layout });
  return { configured, members: settings.members.map(({ id }) => id) };
}

/** The rest of a member's configuration is not looked at, but for misspelt names. */
function layoutPart(text: string, file: string): Record<string, unknown> {
  const parsed = parseObject(text, file);
  const known = [...Object.keys(MemberConfigSchema.properties), 'serving'];
  const unknown = Object.keys(parsed).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, known);
    throw new FreshetError('INVALID_CONFIG', `In ${file}: ${unknown} is not a known setting`, {
      mend: nearest === null ? `Known are ${known.join(', ')}` : `Did you mean ${nearest}?`,
    });
  }
  const { subgroups, layout, members } = parsed;
  const ids = Array.isArray(members) ? members.map(idOf) : members;
  const part = { subgroups, layout, members: ids };
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));
}

function idOf(member: unknown): unknown {
  const isObject = typeof member === 'object' && member !== null;
  return isObject && 'id' in member ? { id: member.id } : member;
}

function parseObject(text: string, file: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
    throw new Error('it is neither an object nor a list');
  } catch (cause) {
    throw new FreshetError('INVALID_CONFIG', `In ${file}: it is no JSON: ${messageOf(cause)}`, {
      cause,
    });
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FreshetError('INVALID_CONFIG', `'${file}' cannot be read: ${messageOf(cause)}`, {
      mend: 'Name a configuration of a member, or a layout.json of Cascade',
      cause,
    });
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
