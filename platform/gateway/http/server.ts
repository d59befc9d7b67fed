import fastifyStatic from '@fastify/static';
import fastifySwagger from '@fastify/swagger';
import Fastify, { type FastifyInstance } from 'fastify';
import {
  formatAddress,
  FreshetError,
  messageOf,
  packageVersion,
  plainHost,
} from '../../base/mod.ts';
import type { Backend } from '../backend.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { metricsText } from '../metrics.ts';
import { addAdminRoutes } from './admin-routes.ts';
import { addErrorReplies, endBrokenConnection, sendRouterError } from './error-replies.ts';
import { addListingRoutes } from './listing-routes.ts';
import { LongTransfers } from './long-transfers.ts';
import { addObjectRoutes } from './object-routes.ts';
import { addOriginGuard } from './origin-guard.ts';
import { acceptRawBodies } from './raw-bodies.ts';
import { addSecurityHeaders } from './security-headers.ts';

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Names besides addresses and localhost under which this member is reached. */
  readonly allowedHosts: readonly string[];
  /** Built dashboard; null: none is served. */
  readonly dashboardFolder: string | null;
  /** Default: {@link defaultConnectionLimits}. */
  readonly connection?: ConnectionLimits;
  /** Of long values on their way in, and out, at once. Default: `gatewayLimits.longBodyBytes`. */
  readonly longBodyBytes?: number;
}

/** How long a connection may take, ms: slow or silent clients are let go. */
export interface ConnectionLimits {
  /** For all headers of a request. */
  readonly headersMs: number;
  /** For a request, its body included unless that is long; and until more of its answer is read. */
  readonly requestMs: number;
  /** For a long body, in and out, as `gatewayLimits.longIdleMs` says. */
  readonly idleMs: number;
  /** Between two requests. */
  readonly keepAliveMs: number;
  /** How often headers and requests are checked. */
  readonly checkMs: number;
}

export interface RunningHttpServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const defaultConnectionLimits: ConnectionLimits = {
  headersMs: 10_000,
  requestMs: 120_000,
  idleMs: gatewayLimits.longIdleMs,
  keepAliveMs: 65_000,
  checkMs: 2000,
};

/** Opens the HTTP door of a member; ADDRESS_IN_USE names the port. */
export async function startHttpServer(
  backend: Backend,
  options: HttpServerOptions,
): Promise<RunningHttpServer> {
  const { connection = defaultConnectionLimits, longBodyBytes } = options;
  const transfers = new LongTransfers(backend.door, connection, longBodyBytes);
  const app = createApp(connection, transfers);
  acceptRawBodies(app, (request, bytes) => {
    transfers.came(request, bytes);
  });
  transfers.watchAnswers(app);
  addErrorReplies(app, backend.log);
  await addSecurityHeaders(app);
  addOriginGuard(app, options.allowedHosts);
  await app.register(fastifySwagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Freshet', version: packageVersion() } },
  });
  await app.register((routes, _options, done) => {
    addObjectRoutes(routes, backend, transfers);
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

function createApp(
  { headersMs, requestMs, keepAliveMs, checkMs }: ConnectionLimits,
  transfers: LongTransfers,
) {
  return Fastify({
    bodyLimit: gatewayLimits.bodyBytes,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: gatewayLimits.pathBytes, ignoreTrailingSlash: false },
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
    // A misspelled query parameter is refused; dropping it would answer another question.
    ajv: { customOptions: { removeAdditional: false } },
    clientErrorHandler: (error, socket) => {
      // Node says so once a request, and leaves the connection to whom it tells.
      const isTooLong = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
      if (!isTooLong || !transfers.isReceiving(socket)) endBrokenConnection(error, socket);
    },
    frameworkErrors: (error, request, reply) => {
      sendRouterError(error, request.raw.url ?? '', reply);
    },
  });
}

async function listen(app: FastifyInstance, { host, port }: HttpServerOptions): Promise<number> {
  try {
    await app.listen({ host: plainHost(host), port });
  } catch (error) {
    const text = `The HTTP door cannot listen on ${formatAddress(host, port)}: ${messageOf(error)}`;
    throw new FreshetError('ADDRESS_IN_USE', text, { cause: error });
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}
