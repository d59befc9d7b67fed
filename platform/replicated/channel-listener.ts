import type { ChannelEvent } from './channel.ts';

type ViewOfChannel = Extract<ChannelEvent<never>, { type: 'view' }>;

/**
 * What a program hears of a channel. The member may be in its views before the program opens it;
 * what comes until then is dropped. The program begins with the view that there is, as if it were
 * the first, and of messages that belong to views hears none of an earlier one.
 *
 * Thread: event loop.
 * Invariant: what the program throws stays here: the channel goes on, and the event is delivered.
 */
export class ChannelListener<Message> {
  readonly #onThrown: (caught: unknown) => void;
  #onEvent: ((event: ChannelEvent<Message>) => void) | null = null;
  #view: ViewOfChannel | null = null;
  #hasView = false;

  constructor(onThrown: (caught: unknown) => void) {
    this.#onThrown = onThrown;
  }

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
    if (this.#hasView || !isOfView) this.#tell(event);
  }

  #tellFirst(view: ViewOfChannel): void {
    if (this.#onEvent === null) return;
    this.#hasView = true;
    this.#tell({ ...view, joined: view.members, left: [], continuous: false });
  }

  #tell(event: ChannelEvent<Message>): void {
    try {
      this.#onEvent?.(event);
    } catch (caught) {
      this.#onThrown(caught);
    }
  }
}
