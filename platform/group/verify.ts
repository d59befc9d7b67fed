/**
 * What members tell each other about their logs, and the report made of it.
 *
 * Thread: event loop.
 */
import {
  FreshetError,
  type Logger,
  type MemberVerdict,
  messageOf,
  type ShardVerdict,
  type VerifyReport,
} from '../base/mod.ts';
import { groupLimits } from './group-limits.ts';
import { compareHistories } from './histories.ts';
import type { Layout } from './layout.ts';
import { type History, parseHistory } from './log-calls.ts';
import type { PeerMessages } from './peer-messages.ts';

const careCall = 'group.care';
const checkCall = 'group.checkHistory';

/** How one persistent shard stands at a member. */
export interface ShardCare {
  readonly shard: number;
  /** Damaged segments with the offset of what was found first. */
  readonly damage: readonly (readonly [number, number])[];
  /** null: not open. */
  readonly history: History | null;
}

interface Answers {
  /** `isThorough`: after all logs were read again and what was found was mended. */
  readonly care: (isThorough: boolean) => Promise<readonly ShardCare[]>;
  /** Compares with everyone, and stops what is in the minority. */
  readonly check: () => Promise<void>;
}

export function tellCare(messages: PeerMessages, answers: Answers): void {
  messages.handle(careCall, (_from, argument) => answers.care(argument === true));
  messages.handle(checkCall, async () => {
    await answers.check();
    return null;
  });
}

interface Asking {
  readonly messages: PeerMessages;
  readonly nodes: readonly number[];
  readonly scrub: boolean;
  readonly log: Logger;
}

/** Of those who answered: shard → node → history. */
export async function historiesOf(
  asking: Asking,
): Promise<(shard: number) => Map<number, History>> {
  const told = await askAll(asking);
  return (shard) => {
    const histories = new Map<number, History>();
    for (const [node, care] of told) {
      const history = care.find((each) => each.shard === shard)?.history ?? null;
      if (history !== null) histories.set(node, history);
    }
    return histories;
  };
}

export async function verifyShards(
  asking: Asking & {
    readonly layout: Layout;
    readonly homes: (shard: number) => readonly number[];
  },
): Promise<VerifyReport> {
  const { layout, homes } = asking;
  const told = await askAll(asking);
  const shards: ShardVerdict[] = [];
  const differing = new Set<number>();
  for (const { shard, subgroup, persistent } of layout.shards) {
    if (!persistent) continue;
    const members = homes(shard);
    const care = (node: number) => told.get(node)?.find((each) => each.shard === shard) ?? null;
    const histories = new Map<number, History>();
    for (const node of members) {
      const history = care(node)?.history ?? null;
      if (history !== null) histories.set(node, history);
    }
    const { version, digests, verdicts, minority } = compareHistories(histories, members.length);
    for (const node of minority) differing.add(node);
    const verdictOf = (node: number): MemberVerdict['verdict'] => {
      const mine = care(node);
      if (mine === null) return 'unreachable';
      if (mine.damage.length > 0 || mine.history === null) return 'damaged';
      return verdicts.get(node) ?? 'unknown';
    };
    const rows = members.map((node): MemberVerdict => ({
      nodeId: node,
      version: care(node)?.history?.end.version ?? null,
      digest: digests.get(node) ?? null,
      damage: (care(node)?.damage ?? []).map(([segment, offset]) => ({ segment, offset })),
      verdict: verdictOf(node),
    }));
    shards.push({
      shard,
      subgroup,
      version,
      members: rows,
      ok: rows.every(({ verdict }) => verdict === 'same'),
    });
  }
  // They look for themselves, and stop.
  await Promise.all([...differing].map((node) => ask(asking, node, checkCall, null)));
  return { shards, ok: shards.every(({ ok }) => ok) };
}

async function askAll(asking: Asking): Promise<ReadonlyMap<number, readonly ShardCare[]>> {
  const told = new Map<number, readonly ShardCare[]>();
  await Promise.all(
    asking.nodes.map(async (node) => {
      const answer = await ask(asking, node, careCall, asking.scrub);
      if (answer !== null) told.set(node, parseCare(answer));
    }),
  );
  return told;
}

async function ask(asking: Asking, node: number, method: string, argument: unknown) {
  const timeoutMs = asking.scrub ? groupLimits.verifyTimeoutMs : null;
  try {
    return await asking.messages.call(node, method, argument, { timeoutMs, signal: null });
  } catch (caught) {
    asking.log.warn({ node, error: messageOf(caught) }, 'a member did not tell of its logs');
    return null;
  }
}

function parseCare(value: unknown): readonly ShardCare[] {
  if (!Array.isArray(value))
    throw new FreshetError('INTERNAL', 'A member told nothing of its logs');
  return (value as ShardCare[]).map(({ shard, damage, history }) => ({
    shard,
    damage,
    history: history === null ? null : parseHistory(history),
  }));
}
