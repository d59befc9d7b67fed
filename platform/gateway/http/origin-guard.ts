import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FreshetError } from '../../base/mod.ts';

/**
 * Refuses what a page of another origin could send: a Host that is not ours (DNS rebinding), an
 * Origin that is not the Host, and what a browser marks as coming from elsewhere (Fetch Metadata),
 * such as a picture, which carries no Origin. Programs send none of these and a Host they dialled.
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
    if (isFromElsewhere(request)) {
      done(new FreshetError('FORBIDDEN', 'A page of another origin may not use this member'));
      return;
    }
    done();
  });
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}

/** By `Sec-Fetch-Site`; a link that opens a page of ours is welcome. */
function isFromElsewhere({ method, headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  const isLink =
    headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return !(isLink && method === 'GET');
}
