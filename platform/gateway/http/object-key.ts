import { checkKey, FreshetError } from '../../base/mod.ts';

/**
 * The key in a request's path, from the raw URL: what stands after `route`, percent-decoded once
 * (RFC 3986, 2.1). Frameworks and proxies may fold `..` away; the raw path does not, so that a key
 * that could be read as another is refused, not cleaned.
 */
export function keyOfUrl(rawUrl: string, route: string): string {
  // A request to a proxy may name the whole URL (RFC 9112, 3.2.2).
  const path = rawUrl.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? '';
  if (!path.startsWith(`${route}/`)) {
    throw new FreshetError('INVALID_KEY', `The path '${path}' does not start with '${route}/'`);
  }
  const encoded = path.slice(route.length);
  try {
    return checkKey(decodeURIComponent(encoded));
  } catch (error) {
    if (error instanceof FreshetError) throw error;
    throw new FreshetError('INVALID_KEY', `The path '${encoded}' is not percent-encoded UTF-8`, {
      cause: error,
    });
  }
}
