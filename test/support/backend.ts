import { silentLogger, toFreshetError } from '../../platform/base/mod.ts';
import type { Door } from '../../platform/client/mod.ts';
import type { Backend } from '../../platform/gateway/backend.ts';

/** What doors of objects stand on, where the rest is not asked for. */
export function backendOf(door: Door): Backend {
  const putEach: Backend['putEach'] = (requests, sink) => {
    requests.forEach((request, nth) => {
      door.put(request).then(
        (result) => {
          sink.settle(nth, result);
        },
        (error: unknown) => {
          sink.settle(nth, toFreshetError(error));
        },
      );
    });
  };
  return { door, putEach, log: silentLogger() } as unknown as Backend;
}
