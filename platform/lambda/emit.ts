import { FreshetError } from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import type { Edge, LambdaNode } from './pipeline.ts';
import type { EmittedBytes } from './worker-protocol.ts';

/** How long one emit may be refused as OVERLOADED before its event fails. */
const emitTimeoutMs = 30_000;

/** Sends what one event emitted along the declared edges; resolves when all of it is answered. */
export async function sendEmits(
  door: Door,
  node: LambdaNode,
  emits: readonly EmittedBytes[],
  source: { readonly time: number },
): Promise<void> {
  await Promise.all(
    emits.flatMap((emitted) =>
      edgesOf(node, emitted.output).map(async (edge) => sendOne(door, edge, emitted, source)),
    ),
  );
}

function edgesOf(node: LambdaNode, output: string): readonly Edge[] {
  const edges = node.edges[output];
  if (edges !== undefined) return edges;
  throw new FreshetError(
    'UNDECLARED_EDGE',
    `The lambda '${node.lambda}' at '${node.prefix}' emits to '${output}', for which the pipeline has no edge`,
  );
}

async function sendOne(
  door: Door,
  edge: Edge,
  { name, bytes, eventTime, meta }: EmittedBytes,
  source: { readonly time: number },
): Promise<void> {
  const key = `${edge.to}/${name}`;
  // The moment the first input came in travels along, so that a result tells how old it is.
  const origin = meta['origin-time'] ?? String(source.time);
  const common = {
    key,
    value: bytes,
    meta: { ...meta, 'origin-time': origin },
    timeoutMs: emitTimeoutMs,
  };
  const times = eventTime === null ? {} : { eventTime };
  if (edge.by === 'triggerPut') await door.triggerPut({ ...common, ...times });
  else await door.put({ ...common, ...times });
}
