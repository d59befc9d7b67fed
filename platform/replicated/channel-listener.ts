import type { ChannelEvent } from './channel.ts';

type ViewOfChannel = Extract<ChannelEvent<never>, { type: 'view' }>;

/**
 * What a program hears of a channel. The member may be in its views before the program opens it;
 * what comes until then is dropped. The program begins with the view that there is, as if it were
 * the first, and of messages that belong to views hears none of an earlier one.
 *
 * Thread: event loop.
 */
export class ChannelListener<Message> {
  #onEvent: ((event: ChannelEvent<Message>) => void) | null = null;
  #view: ViewOfChannel | null = null;
  #hasView = false;

  /** `isLate`: the member was in views of the channel before. */
  begin(onEvent: (event: ChannelEvent<Message>) => void, isLate: boolean): void {
    this.#onEvent = onEvent;
    this.#hasView = !isLate;
    if (isLate && this.#view !== null) this.#tellFirst(this.#view);
  }

  onEvent(event: ChannelEvent<Message>): void {
    if (event.type === 'view') {
      this.#view = event;
      if (!this.#hasView) {
        this.#tellFirst(event);
        return;
      }
    }
    const isOfView = event.type === 'message' && event.order !== 'abcast';
    if (this.#hasView || !isOfView) this.#onEvent?.(event);
  }

  #tellFirst(view: ViewOfChannel): void {
    if (this.#onEvent === null) return;
    this.#hasView = true;
    this.#onEvent({ ...view, joined: view.members, left: [], continuous: false });
  }
}
