/** A file with a layout: a configuration of a member, or a layout.json of Cascade. */
import { readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import { FreshetError, messageOf, nearestName, parseConfig } from '../base/mod.ts';
import {
  cascadeLayout,
  type ConfiguredLayout,
  configuredLayout,
  layoutSettings,
} from '../configured-layout.ts';
import { MemberConfigSchema } from '../node.ts';

export interface LayoutFileFlags {
  /** In place of what the file says; null: as it says. */
  readonly exclusive: boolean | null;
  /** Added to node ids of Cascade's file to get members. */
  readonly nodeOffset: 0 | 1;
}

/** What of a member's configuration makes the layout. */
const FileSchema = Type.Object({
  ...layoutSettings,
  members: Type.Array(Type.Object({ id: Type.Integer({ minimum: 1 }) }), { default: [] }),
});

interface ReadLayout {
  readonly configured: ConfiguredLayout;
  /** What the file or the command line says of it; null: nothing. */
  readonly exclusive: boolean | null;
  /** Those that the file names. */
  readonly members: readonly number[];
}

/** Rejects INVALID_CONFIG, which names the file, the place and the nearest fix. */
export async function readLayout(file: string, flags: LayoutFileFlags): Promise<ReadLayout> {
  const text = await readText(file);
  const { exclusive, nodeOffset } = flags;
  if (/^\s*'?\s*\[/.test(text)) {
    const layout = { exclusive, nodeOffset } as const;
    return { configured: cascadeLayout(text, file, layout), exclusive, members: [] };
  }
  const settings = parseConfig(FileSchema, layoutPart(text, file), { source: file });
  const layout = exclusive === null ? settings.layout : { ...settings.layout, exclusive };
  const configured = await configuredLayout({ ...settings, layout });
  const members = settings.members.map(({ id }) => id);
  return { configured, exclusive: layout.exclusive, members };
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
