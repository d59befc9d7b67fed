import fastifyHelmet from '@fastify/helmet';
import Fastify, { type FastifyInstance } from 'fastify';

/** Of answers that no browser shows as a page: the rest is about documents. */
const ofData = [
  'content-security-policy',
  'cross-origin-resource-policy',
  'x-content-type-options',
] as const;

/**
 * Headers of every answer; they are always the same, so the library is asked once. What is got may
 * be shown, and so has all of them, whatever its path.
 */
export async function addSecurityHeaders(app: FastifyInstance): Promise<void> {
  const headers = await securityHeaders();
  const dataHeaders = Object.fromEntries(ofData.map((name) => [name, headers[name]]));
  app.addHook('onRequest', ({ method }, reply, done) => {
    const isData = method === 'PUT' || method === 'DELETE';
    void reply.headers(isData ? dataHeaders : headers);
    done();
  });
}

/**
 * The page is made of this member's own files alone; what it shows of stored bytes it draws from
 * blobs. Objects have the stricter policy of their route.
 */
async function securityHeaders(): Promise<Record<string, string>> {
  const app = Fastify();
  await app.register(fastifyHelmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'blob:', 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    // The door speaks plain HTTP; a proxy that adds TLS adds this too.
    strictTransportSecurity: false,
  });
  const { headers } = await app.inject('/');
  await app.close();
  const bare = Fastify();
  const { headers: ownHeaders } = await bare.inject('/');
  await bare.close();
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' && !(name in ownHeaders) ? [[name, value]] : [],
    ),
  );
}
