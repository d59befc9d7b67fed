import type { IncomingHttpHeaders } from 'node:http';
import { FreshetError, type SessionStamp } from '../../base/mod.ts';

/**
 * `freshet-session: <session>-<request>-<lowest unanswered>`: a change that is sent again under the
 * same header, to any member, is made once and answered as the first time.
 */
export function sessionOf(headers: IncomingHttpHeaders): { session?: SessionStamp } {
  const { 'freshet-session': header } = headers;
  if (header === undefined) return {};
  const parts = /^\s*(\d+)-(\d+)-(\d+)\s*$/.exec(String(header));
  if (parts === null) {
    throw new FreshetError(
      'INVALID_ARGUMENT',
      `freshet-session is '${String(header)}', not session-request-lowestUnanswered`,
    );
  }
  const [session = 0, request = 0, lowestUnanswered = 0] = parts.slice(1).map(Number);
  return { session: { session, request, lowestUnanswered } };
}
