/** What members of a cluster know it by, made from its configured name and secret. */
import { createHash } from 'node:crypto';

export interface ClusterIdentity {
  /** 16 bytes. */
  readonly id: Uint8Array;
  /** 32 bytes; whoever has it is a member, or issues tickets for one. */
  readonly secret: Uint8Array;
}

export function clusterIdentity(cluster: {
  readonly name: string;
  readonly secret: string;
}): ClusterIdentity {
  return {
    id: sha256(`cluster ${cluster.name}`).subarray(0, 16),
    secret: sha256(`secret ${cluster.secret}`),
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
