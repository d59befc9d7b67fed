import type { MemberVerdictName, VerifyReport } from '../../base/mod.ts';
import type { VerifyReply } from '../../wire/mod.ts';

export function verifyToWire({ ok, shards }: VerifyReport): VerifyReply {
  return {
    ok,
    shards: shards.map(({ version, members, ...shard }) => ({
      ...shard,
      version: version ?? undefined,
      members: members.map((member) => ({
        ...member,
        version: member.version ?? undefined,
        digest: member.digest ?? undefined,
        damage: [...member.damage],
      })),
    })),
  };
}

export function verifyFromWire({ ok, shards }: VerifyReply): VerifyReport {
  return {
    ok,
    shards: shards.map(({ version, members, ...shard }) => ({
      ...shard,
      version: version ?? null,
      members: members.map((member) => ({
        ...member,
        version: member.version ?? null,
        digest: member.digest ?? null,
        verdict: member.verdict as MemberVerdictName,
      })),
    })),
  };
}
