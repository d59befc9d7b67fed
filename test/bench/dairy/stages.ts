import type { ServingPorts } from '../../../platform/serving.ts';

/** What `/v1/sample` says of one stage at one member. */
export interface StageSample {
  readonly prefix: string;
  readonly arrived: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly waiting: number;
  readonly inFlight: number;
}

/** All stages below a prefix, of all members. */
export async function stagesOf(
  ports: readonly ServingPorts[],
  prefix: string,
): Promise<readonly StageSample[]> {
  const samples = await Promise.all(
    ports.map(async ({ http }) => {
      const reply = await fetch(`http://127.0.0.1:${String(http)}/v1/sample`);
      return (await reply.json()) as { readonly stages: readonly StageSample[] };
    }),
  );
  return samples.flatMap(({ stages }) => stages.filter((stage) => stage.prefix.startsWith(prefix)));
}
