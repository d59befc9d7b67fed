/**
 * Messages of a channel on their way to one member, in order, each until it is answered or the
 * member has left the view.
 *
 * Thread: event loop.
 */
import type { Clock } from '../base/mod.ts';
import type { CastMessage } from './cast-messages.ts';
import { replicatedLimits } from './replicated-limits.ts';

export interface PeerOutboxOptions {
  readonly clock: Clock;
  /** Rejects when some may not have arrived. */
  readonly send: (messages: readonly CastMessage[]) => Promise<unknown>;
  readonly isWanted: () => boolean;
}

export class PeerOutbox {
  readonly #options: PeerOutboxOptions;
  #messages: CastMessage[] = [];
  #isSending = false;

  constructor(options: PeerOutboxOptions) {
    this.#options = options;
  }

  push(message: CastMessage): void {
    this.#messages.push(message);
    if (!this.#isSending) {
      this.#isSending = true;
      void this.#pump();
    }
  }

  async #pump(): Promise<void> {
    const { clock, send, isWanted } = this.#options;
    // What is pushed in the same turn goes along.
    await Promise.resolve();
    while (this.#messages.length > 0) {
      if (!isWanted()) {
        this.#messages = [];
        break;
      }
      const some = this.#messages.slice(0, replicatedLimits.messagesAtOnce);
      try {
        await send(some);
        this.#messages.splice(0, some.length);
      } catch {
        // It is not connected, or has not opened the channel yet; what came may come again.
        await new Promise<void>((resolve) => {
          clock.after(replicatedLimits.retryPauseMs, resolve);
        });
      }
    }
    this.#isSending = false;
  }
}
