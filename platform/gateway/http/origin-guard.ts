import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { FreshetError } from '../../base/mod.ts';

/**
 * Refuses what a page of another origin could send: a Host that is not ours (DNS rebinding) and an
 * Origin that is not the Host. Programs send no Origin and a Host that they dialled.
 */
export function addOriginGuard(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const allowed = new Set(['localhost', ...allowedHosts.map((host) => host.toLowerCase())]);
  app.addHook('onRequest', (request, _reply, done) => {
    const host = request.headers.host ?? '';
    const name = hostName(host);
    if (isIP(name.replace(/^\[|\]$/g, '')) === 0 && !allowed.has(name)) {
      done(
        new FreshetError('FORBIDDEN', `The Host '${host}' is not a name of this member`, {
          mend: 'Use its address, or add the name to allowedHosts',
        }),
      );
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      done(new FreshetError('FORBIDDEN', `A page of '${origin}' may not use this member`));
      return;
    }
    done();
  });
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
