import { type Static, Type } from 'typebox';
import type { FastifyInstance } from 'fastify';
import type { Backend } from '../backend.ts';
import { parseJson } from '../grpc/parse-json.ts';

const PoolQuery = Type.Object({ name: Type.String() }, { additionalProperties: false });

/** Pools, pipelines, members, and whether this member is well. */
export function addAdminRoutes(app: FastifyInstance, { door, lambdas, sample }: Backend): void {
  app.get('/v1/pools', { schema: { summary: 'All pools' } }, async () => door.pools());
  app.post('/v1/pools', { schema: { summary: 'Create a pool' } }, async (request) =>
    door.createPool(parseJson(request.body as Uint8Array, 'The pool') as never),
  );
  app.delete(
    '/v1/pools',
    { schema: { summary: 'Remove a pool', querystring: PoolQuery } },
    async (request) => {
      const { name } = request.query as Static<typeof PoolQuery>;
      await door.removePool(name);
      return { removed: name };
    },
  );
  app.get(
    '/v1/frontier',
    { schema: { summary: 'Frontiers of a pool', querystring: PoolQuery } },
    async (request) => door.frontier((request.query as Static<typeof PoolQuery>).name),
  );
  app.get('/v1/pipelines', { schema: { summary: 'Pipelines in force' } }, async () =>
    lambdas.pipelines(),
  );
  app.get('/v1/members', { schema: { summary: 'The view' } }, async () => door.members());
  app.get('/v1/sample', { schema: { summary: "This member's counters now" } }, () => ({
    ...sample(),
    stages: lambdas.stages().map(({ name, node, metrics, waiting, inFlight, restarts }) => ({
      name,
      prefix: node.prefix,
      lambda: node.lambda,
      edges: node.edges,
      waiting,
      inFlight,
      restarts,
      ...metrics,
    })),
  }));
  app.get('/healthz', { schema: { summary: 'This process answers' } }, () => ({ status: 'ok' }));
  app.get(
    '/readyz',
    { schema: { summary: 'The cluster answers through this member' } },
    async (_request, reply) => {
      const { waitingFor } = await door.members();
      return reply
        .code(waitingFor === null ? 200 : 503)
        .send({ ready: waitingFor === null, waitingFor });
    },
  );
}
