import { FreshetError, toFreshetError } from '../base/mod.ts';
import type { Door } from '../client/mod.ts';
import { collectedMethods, objectsPerCallMax, plainMethods } from './worker-door.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';

type Call = Extract<FromWorker, { type: 'call' }>;
type Answer = Extract<ToWorker, { type: 'answer' }>;

/** Makes a call of a worker's `ctx.db` at the member's door. Always answers, never rejects. */
export async function answerCall(
  door: Door,
  call: Call,
  post: (answer: Answer) => void,
): Promise<void> {
  try {
    post({ type: 'answer', id: call.id, value: await makeCall(door, call), error: null });
  } catch (error) {
    post({ type: 'answer', id: call.id, value: null, error: toFreshetError(error).toJSON() });
  }
}

async function makeCall(door: Door, { method, args }: Call): Promise<unknown> {
  const methods = door as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  if (collectedMethods.has(method)) {
    return collect(method, methods[method]?.(...args) as AsyncIterable<unknown>);
  }
  if (!plainMethods.has(method)) {
    throw new FreshetError('UNSUPPORTED', `ctx.db does not offer '${method}' inside a lambda`);
  }
  const result = await methods[method]?.(...args);
  return method === 'putMany' ? (result as readonly unknown[]).map(plainError) : result;
}

async function collect(method: string, source: AsyncIterable<unknown>): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of source) {
    if (items.length >= objectsPerCallMax) {
      const text = `${method} gave over ${String(objectsPerCallMax)} objects to a lambda`;
      throw new FreshetError('INVALID_QUERY', text, { mend: 'Ask for fewer with limit or take' });
    }
    items.push(item);
  }
  return items;
}

/** Errors lose their class between threads; the SDK shows them by their JSON form. */
function plainError(result: unknown): unknown {
  return result instanceof FreshetError ? result.toJSON() : result;
}
