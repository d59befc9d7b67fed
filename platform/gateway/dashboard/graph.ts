import type { Stage } from './api.ts';
import { lastSegment } from './format.ts';

/** A place of the pipeline: a prefix with the lambdas that act there, or one where results lie. */
export interface GraphNode {
  readonly prefix: string;
  readonly name: string;
  readonly stages: readonly Stage[];
  readonly column: number;
  readonly row: number;
}

export interface GraphEdge {
  readonly from: GraphNode;
  readonly to: GraphNode;
  readonly by: string;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly columns: number;
  readonly rows: number;
}

/** Columns by the longest way from a place that nothing leads to; rows as they come. */
export function layOut(stages: readonly Stage[]): Graph {
  const links = stages.flatMap(({ prefix, edges }) =>
    Object.values(edges).flatMap((targets) => targets.map(({ to, by }) => ({ prefix, to, by }))),
  );
  const prefixes = [...new Set([...stages.map(({ prefix }) => prefix), ...links.map((l) => l.to)])];
  const columns = new Map(prefixes.map((prefix) => [prefix, 0]));
  // As many rounds as places settle every way without a loop; a loop stops there.
  for (let round = 0; round < prefixes.length; round++) {
    for (const { prefix, to } of links) {
      const next = (columns.get(prefix) ?? 0) + 1;
      if (next < prefixes.length) columns.set(to, Math.max(columns.get(to) ?? 0, next));
    }
  }
  const filled: number[] = [];
  const nodes = new Map<string, GraphNode>();
  const hasLambdas = (prefix: string) => stages.some((stage) => stage.prefix === prefix);
  const order = [...prefixes].sort((a, b) => Number(hasLambdas(b)) - Number(hasLambdas(a)));
  for (const prefix of order) {
    const column = columns.get(prefix) ?? 0;
    const row = filled[column] ?? 0;
    filled[column] = row + 1;
    const own = stages.filter((stage) => stage.prefix === prefix);
    nodes.set(prefix, { prefix, name: lastSegment(prefix), stages: own, column, row });
  }
  const edges = links.flatMap(({ prefix, to, by }) => {
    const [from, target] = [nodes.get(prefix), nodes.get(to)];
    return from === undefined || target === undefined ? [] : [{ from, to: target, by }];
  });
  return {
    nodes: [...nodes.values()],
    edges,
    columns: filled.length,
    rows: Math.max(1, ...filled.map((rows) => rows ?? 0)),
  };
}
