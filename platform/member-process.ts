/**
 * The process of one member of a local cluster: does what its parent says, ends when it is gone.
 */
import { toFreshetError } from './base/mod.ts';
import { type Member, type MemberPart, type NativeDoorPlace, startMember } from './node.ts';

/** Answers a parent's call. Values have to be structured-clonable. */
export type ParentCall = (member: Member, argument: unknown) => Promise<unknown>;

export interface MemberProcessOptions {
  /** Parts of the member, from what the parent gave beside the configuration. */
  readonly parts?: (extra: unknown) => readonly MemberPart[];
  /** Where its native door listens, from the same; default: it has none. */
  readonly nativeDoor?: (extra: unknown) => NativeDoorPlace;
  /** What the parent is told when the member has started. */
  readonly info?: (member: Member) => unknown;
  readonly calls?: Readonly<Record<string, ParentCall>>;
}

interface StartOrder {
  readonly type: 'start';
  readonly config: unknown;
  readonly extra: unknown;
}

interface CallOrder {
  readonly type: 'call';
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

const ownCalls: Readonly<Record<string, ParentCall>> = {
  whenRunning: (member, timeoutMs) => member.whenRunning(timeoutMs as number),
};

/** Runs this process as a member. Call once, from the entry module. */
export function runMemberProcess(options: MemberProcessOptions = {}): void {
  let member: Member | null = null;
  const calls = { ...ownCalls, ...options.calls };

  const stop = async (code: number): Promise<void> => {
    const running = member;
    member = null;
    await running?.close();
    process.exit(code);
  };
  const start = async ({ config, extra }: StartOrder): Promise<void> => {
    try {
      member = await startMember(config, {
        parts: options.parts?.(extra) ?? [],
        nativeDoor: options.nativeDoor?.(extra) ?? null,
      });
      report({ type: 'started', info: options.info?.(member) ?? null });
    } catch (caught) {
      report({ type: 'failed', error: toFreshetError(caught).toJSON() });
      await stop(1);
    }
  };
  const answer = async ({ id, method, argument }: CallOrder): Promise<void> => {
    try {
      const call = calls[method];
      const value = member === null || !call ? null : await call(member, argument);
      report({ type: 'answer', id, error: null, value: value ?? null });
    } catch (caught) {
      report({ type: 'answer', id, error: toFreshetError(caught).toJSON(), value: null });
    }
  };

  process.on('message', (order: StartOrder | CallOrder) => {
    void (order.type === 'start' ? start(order) : answer(order));
  });
  // The parent is gone, however it went: nobody would end this process any more.
  process.on('disconnect', () => void stop(0));
  process.on('SIGTERM', () => void stop(0));
  // A terminal's Ctrl-C reaches parent and members alike; the parent closes them in order.
  process.on('SIGINT', () => undefined);
}

function report(message: unknown): void {
  if (process.connected) {
    process.send?.(message);
  }
}
