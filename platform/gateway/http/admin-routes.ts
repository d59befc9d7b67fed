import { type Static, Type } from 'typebox';
import type { FastifyInstance } from 'fastify';
import { delayBucketsMicros, type Stage } from '../../lambda/mod.ts';
import type { Backend } from '../backend.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { bytesOf, parseJson } from '../parse-json.ts';
import { poolOptionsOf } from './pool-body.ts';

const PoolQuery = Type.Object({ name: Type.String() }, { additionalProperties: false });
const VerifyQuery = Type.Object(
  { quick: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);

/** Pools, pipelines, members, and whether this member is well. */
export function addAdminRoutes(
  app: FastifyInstance,
  { door, lambdas, sample, verify }: Backend,
): void {
  app.get('/v1/pools', { schema: { summary: 'All pools' } }, async () => door.pools());
  app.post(
    '/v1/pools',
    { schema: { summary: 'Create a pool' }, bodyLimit: gatewayLimits.poolBodyBytes },
    async (request) => door.createPool(poolOptionsOf(parseJson(bytesOf(request.body), 'The pool'))),
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
  app.post(
    '/v1/verify',
    { schema: { summary: 'Verify logs and histories of all members', querystring: VerifyQuery } },
    async (request) => verify((request.query as Static<typeof VerifyQuery>).quick ?? false),
  );
  app.get('/v1/sample', { schema: { summary: "This member's counters now" } }, () => ({
    ...sample(),
    stages: lambdas.stages().map(stageSample),
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

function stageSample({ name, node, metrics, waiting, inFlight, restarts }: Stage) {
  const { arrived, succeeded, failed, thrown, refused, skipped, startDelay } = metrics;
  return {
    name,
    prefix: node.prefix,
    lambda: node.lambda,
    edges: node.edges,
    waiting,
    inFlight,
    restarts,
    arrived,
    succeeded,
    failed,
    thrown,
    refused,
    skipped,
    /** Runs by the time from the input's commit to the lambda's first line, per bucket. */
    startDelay,
    delayBucketsMicros,
  };
}
