import { FreshetError } from '../../base/mod.ts';
import {
  layoutChangeToWire,
  layoutToWire,
  nativeDoorToWire,
  poolInfoToWire,
  poolOptionsFromWire,
  verifyToWire,
  viewToWire,
} from '../../client/grpc/mod.ts';
import { parseLayoutRequest } from '../../group/mod.ts';
import type { PreparedPipeline } from '../../lambda/mod.ts';
import { describeChange, parsePrepared } from '../../lambda/mod.ts';
import type { ClusterServer, DeployRequest, PipelinesServer, PoolsServer } from '../../wire/mod.ts';
import type { Backend } from '../backend.ts';
import { unary } from './objects-service.ts';
import { parseJson } from '../parse-json.ts';

export function poolsService({ door }: Backend): PoolsServer {
  return {
    list: unary(async () => ({ pools: (await door.pools()).map(poolInfoToWire) })),
    create: unary(async (options) =>
      poolInfoToWire(await door.createPool(poolOptionsFromWire(options))),
    ),
    remove: unary(async ({ name }) => {
      await door.removePool(name);
      return {};
    }),
    frontier: unary(async ({ pool }) => ({ shards: [...(await door.frontier(pool))] })),
  };
}

export function pipelinesService({ lambdas }: Backend): PipelinesServer {
  return {
    deploy: unary(async (request) => {
      const prepared = preparedOf(request);
      const before = lambdas.pipelines().find(({ name }) => name === prepared.name) ?? null;
      const changes = describeChange(before, prepared);
      await lambdas.deploy(prepared);
      return { changes: [...changes] };
    }),
    list: unary(async () =>
      Promise.resolve({
        pipelines: lambdas.pipelines().map((pipeline) => Buffer.from(JSON.stringify(pipeline))),
      }),
    ),
    remove: unary(async ({ name }) => {
      if (!lambdas.pipelines().some((pipeline) => pipeline.name === name)) {
        throw new FreshetError('NOT_FOUND', `No pipeline is named '${name}'`);
      }
      await lambdas.undeploy(name);
      return {};
    }),
  };
}

export function clusterService(backend: Backend): ClusterServer {
  const { door, verify, layout, moveShard, changeLayout, nativeDoor } = backend;
  return {
    members: unary(async () => viewToWire(await door.members())),
    verify: unary(async ({ quick }) => verifyToWire(await verify(quick))),
    layout: unary(async () => layoutToWire(await layout())),
    moveShard: unary(async ({ shard, from, to }) => {
      await moveShard({ shard, from, to });
      return {};
    }),
    changeLayout: unary(async ({ request }) => {
      const wanted = parseLayoutRequest(parseJson(request, 'the new layout'));
      return layoutChangeToWire(await changeLayout(wanted));
    }),
    nativeDoor: unary(async () => Promise.resolve(nativeDoorToWire(nativeDoor()))),
  };
}

function preparedOf({ name, document, bundles, assets }: DeployRequest): PreparedPipeline {
  const filesOf = (blobs: DeployRequest['bundles']) =>
    new Map(blobs.map(({ sha256, content }) => [sha256, content]));
  return parsePrepared(
    name,
    parseJson(document, 'the pipeline'),
    filesOf(bundles),
    filesOf(assets),
  );
}
