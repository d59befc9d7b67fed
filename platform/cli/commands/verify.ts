import type { Command } from 'commander';
import { FreshetError, type ShardVerdict, type VerifyReport } from '../../base/mod.ts';
import type { Session } from '../session.ts';

interface VerifyFlags {
  readonly quick?: boolean;
}

/** `freshet verify`: are all logs sound, and did all members apply the same? */
export function addVerifyCommand(program: Command, sessionOf: (command: Command) => Session): void {
  program
    .command('verify')
    .description('read the logs of all members again, mend them, and compare what was applied')
    .option('--quick', 'compare only, read no log')
    .action(async ({ quick = false }: VerifyFlags, command: Command) => {
      const session = sessionOf(command);
      const report = await session.withDoor(async (door) => door.verify(quick));
      session.output.either(report, () => report.shards.map(describe).join('\n'));
      const error = errorOf(report);
      if (error !== null) throw error;
    });
}

function describe({ shard, subgroup, version, members }: ShardVerdict): string {
  const at = version === null ? 'no common version' : `version ${String(version)}`;
  const lines = members.map(({ nodeId, version: newest, digest, damage, verdict }) => {
    const places = damage.map(
      ({ segment, offset }) => `segment ${String(segment)} at byte ${String(offset)}`,
    );
    const parts = [
      `  member ${String(nodeId)}`,
      newest === null ? '-' : `newest ${String(newest)}`,
      digest ?? '-',
      [verdict, ...places].join(' '),
    ];
    return parts.join('  ');
  });
  return [`shard ${String(shard)} (${subgroup})  ${at}`, ...lines].join('\n');
}

/** The worst that was found; null: nothing. */
function errorOf({ shards }: VerifyReport): FreshetError | null {
  const kinds = [
    ['differs', 'HISTORY_DIFFERS', 'has another history than most'],
    ['damaged', 'LOG_CORRUPT', 'has a damaged log that nobody could mend'],
    ['unreachable', 'UNREACHABLE', 'did not answer'],
    ['unknown', 'NOT_CURRENT', 'has no version in common with the others yet'],
  ] as const;
  for (const [wanted, code, what] of kinds) {
    for (const { shard, version, members } of shards) {
      const nodes = members.filter(({ verdict }) => verdict === wanted).map(({ nodeId }) => nodeId);
      if (nodes.length === 0) continue;
      const who = nodes.map(String).join(', ');
      const at = version === null ? '' : `, version ${String(version)}`;
      return new FreshetError(code, `Member ${who} ${what} (shard ${String(shard)}${at})`, {
        details: { shard, members: who },
      });
    }
  }
  return null;
}
