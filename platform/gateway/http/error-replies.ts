import type { Socket } from 'node:net';
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifySchemaValidationError,
} from 'fastify';
import { FreshetError, type Logger, messageOf, toFreshetError } from '../../base/mod.ts';
import { gatewayLimits } from '../gateway-limits.ts';
import { statusCodes } from '../status-codes.ts';

/** Every refusal of the HTTP door is `{"error": {code, message, mend, retryable, details}}`. */
export function addErrorReplies(app: FastifyInstance, log: Logger): void {
  app.setErrorHandler((caught: FastifyError, request, reply) => {
    const error = codedError(caught, request.routeOptions.bodyLimit);
    if (error.code === 'INTERNAL') log.error({ error: messageOf(caught) }, 'request failed');
    return sendError(reply, error);
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new FreshetError('NOT_FOUND', `There is no ${request.method} ${shown(request.url)}`, {
        mend: 'See /v1/openapi.json for what there is',
      }),
    ),
  );
}

/** What the router refuses before any route is known: a path that is not percent-encoded UTF-8. */
export function sendRouterError(caught: FastifyError, url: string, reply: FastifyReply): void {
  const error =
    caught.code === 'FST_ERR_BAD_URL'
      ? new FreshetError('INVALID_KEY', `The path '${shown(url)}' is not percent-encoded UTF-8`)
      : codedError(caught, gatewayLimits.bodyBytes);
  void sendError(reply, error);
}

/** Answers what is no HTTP at all, or came too slowly, and ends the connection. */
export function endBrokenConnection(caught: NodeJS.ErrnoException, socket: Socket): void {
  if (caught.code === 'ECONNRESET' || socket.destroyed) return;
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  endWith(connectionError(caught), socket);
}

/** Answers why nothing more is received, and ends the connection. */
export function endWith(error: FreshetError, socket: Socket): void {
  const body = JSON.stringify({ error });
  // The client was slow, not a member: 408, where TIMEOUT is 504 elsewhere.
  const http = error.code === 'TIMEOUT' ? 408 : statusCodes[error.code].http;
  socket.end(
    `HTTP/1.1 ${String(http)} ${error.code}\r\ncontent-type: application/json\r\n` +
      `content-length: ${String(Buffer.byteLength(body))}\r\nconnection: close\r\n\r\n${body}`,
    // Whoever keeps sending is not listened to.
    () => socket.destroy(),
  );
  // And who reads nothing is not waited for.
  const late = setTimeout(() => socket.destroy(), gatewayLimits.lastAnswerMs).unref();
  socket.once('close', () => {
    clearTimeout(late);
  });
}

const shownUnits = 120;

function shown(url: string): string {
  return url.length > shownUnits ? `${url.slice(0, shownUnits)}…` : url;
}

function sendError(reply: FastifyReply, error: FreshetError): FastifyReply {
  if (error.retryable) void reply.header('retry-after', '1');
  return reply.code(statusCodes[error.code].http).send({ error });
}

function codedError(caught: FastifyError, bodyLimit: number): FreshetError {
  if (caught.validation !== undefined) {
    return new FreshetError('INVALID_ARGUMENT', describeParameter(caught.validation));
  }
  if (caught.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new FreshetError('INVALID_ARGUMENT', 'The Content-Type is no media type', {
      mend: 'Send one such as application/json, or leave the header out',
    });
  }
  if (caught.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new FreshetError('VALUE_TOO_LARGE', `The body has over ${String(bodyLimit)} bytes`);
  }
  if (caught.statusCode !== undefined && caught.statusCode < 500) {
    return new FreshetError('INVALID_ARGUMENT', caught.message, { cause: caught });
  }
  return toFreshetError(caught);
}

/** Names the parameter of the query string that is not as its route says. */
function describeParameter(problems: readonly FastifySchemaValidationError[]): string {
  const [first] = problems;
  const { params = {}, instancePath = '', message = 'is not as it should be' } = first ?? {};
  const missing = params['missingProperty'];
  if (typeof missing === 'string') return `The parameter ${missing} is missing`;
  const unknown = params['additionalProperty'];
  if (typeof unknown === 'string') return `There is no parameter ${unknown}`;
  const name = `The parameter ${instancePath.slice(1)}`;
  const allowed = problems.flatMap(({ params: { allowedValue } }) =>
    typeof allowedValue === 'string' ? [allowedValue] : [],
  );
  return allowed.length > 0 ? `${name} must be one of ${allowed.join(', ')}` : `${name} ${message}`;
}

function connectionError(caught: NodeJS.ErrnoException): FreshetError {
  switch (caught.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new FreshetError('TIMEOUT', 'The request did not arrive in time', {
        mend: 'Send the whole request without long pauses',
      });
    case 'HPE_HEADER_OVERFLOW':
      return new FreshetError('INVALID_ARGUMENT', 'The request line and headers are too long');
    default:
      return new FreshetError('INVALID_ARGUMENT', `This is no HTTP request: ${messageOf(caught)}`);
  }
}
