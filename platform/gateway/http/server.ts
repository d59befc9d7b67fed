import { createRequire } from 'node:module';
import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { FreshetError, messageOf, toFreshetError } from '../../base/mod.ts';
import type { Backend } from '../backend.ts';
import { metricsText } from '../metrics.ts';
import { statusCodes } from '../status-codes.ts';
import { addAdminRoutes } from './admin-routes.ts';
import { addListingRoutes } from './listing-routes.ts';
import { addObjectRoutes, bodyBytesMax } from './object-routes.ts';
import { addOriginGuard } from './origin-guard.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Names besides addresses and localhost under which this member is reached. */
  readonly allowedHosts: readonly string[];
  /** Built dashboard; null: none is served. */
  readonly dashboardFolder: string | null;
}

export interface RunningHttpServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** Limits of one connection: slow or silent clients are let go. */
const connectionLimits = {
  requestTimeout: 120_000,
  connectionTimeout: 0,
  keepAliveTimeout: 65_000,
} as const;
const headersTimeoutMs = 10_000;

/** Opens the HTTP door of a member; ADDRESS_IN_USE names the port. */
export async function startHttpServer(
  backend: Backend,
  options: HttpServerOptions,
): Promise<RunningHttpServer> {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 4096, ignoreTrailingSlash: false },
    ...connectionLimits,
  });
  app.server.headersTimeout = headersTimeoutMs;
  acceptRawBodies(app);
  addErrorReplies(app, backend);
  addOriginGuard(app, options.allowedHosts);
  await app.register(fastifySwagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Freshet', version: packageVersion() } },
  });
  await app.register((routes, _options, done) => {
    addObjectRoutes(routes, backend.door);
    addListingRoutes(routes, backend.door);
    addAdminRoutes(routes, backend);
    routes.get('/metrics', { schema: { summary: 'Prometheus text format' } }, (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(metricsText(backend)),
    );
    done();
  });
  app.get('/v1/openapi.json', { schema: { hide: true } }, () => app.swagger());
  if (options.dashboardFolder !== null) {
    await app.register(fastifyStatic, { root: options.dashboardFolder, index: 'index.html' });
  }
  return { port: await listen(app, options), close: async () => app.close() };
}

/** Every body is bytes; what they mean is the key's matter. */
function acceptRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
}

function addErrorReplies(app: FastifyInstance, { log }: Backend): void {
  app.setErrorHandler((caught: FastifyError, _request, reply) => {
    const error = codedError(caught);
    if (error.code === 'INTERNAL') log.error({ error: messageOf(caught) }, 'request failed');
    if (error.retryable) void reply.header('retry-after', '1');
    return reply.code(statusCodes[error.code].http).send({ error });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new FreshetError('NOT_FOUND', `There is no ${request.method} ${request.url}`, {
      mend: 'See /v1/openapi.json for what there is',
    });
    return reply.code(404).send({ error });
  });
}

function codedError(caught: FastifyError): FreshetError {
  if (caught.validation !== undefined) return new FreshetError('INVALID_ARGUMENT', caught.message);
  if (caught.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new FreshetError('VALUE_TOO_LARGE', `The body has over ${String(bodyBytesMax)} bytes`);
  }
  if (caught.statusCode !== undefined && caught.statusCode < 500) {
    return new FreshetError('INVALID_ARGUMENT', caught.message, { cause: caught });
  }
  return toFreshetError(caught);
}

async function listen(app: FastifyInstance, { host, port }: HttpServerOptions): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const text = `The HTTP door cannot listen on ${host}:${String(port)}: ${messageOf(error)}`;
    throw new FreshetError('ADDRESS_IN_USE', text, { cause: error });
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function packageVersion(): string {
  const require = createRequire(import.meta.url);
  for (const path of ['../../../package.json', '../../../../package.json']) {
    try {
      const { name, version } = require(path) as { name: string; version: string };
      if (name === 'freshet') return version;
    } catch {
      // Built files lie one folder deeper than their sources.
    }
  }
  return '0.0.0';
}
