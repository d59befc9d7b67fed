/** A stream of events for one watcher. When it does not keep up, the oldest events are dropped. */
export class EventStream<Event> implements AsyncIterableIterator<Event> {
  readonly #events: Event[] = [];
  readonly #limit: number;
  readonly #onEnd: () => void;
  #waiting: ((result: IteratorResult<Event, undefined>) => void) | null = null;
  #ended = false;
  #dropped = 0;

  constructor(limit: number, onEnd: () => void) {
    this.#limit = limit;
    this.#onEnd = onEnd;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(event: Event): void {
    if (this.#ended) {
      return;
    }
    if (this.#waiting !== null) {
      const waiting = this.#waiting;
      this.#waiting = null;
      waiting({ value: event, done: false });
      return;
    }
    if (this.#events.length === this.#limit) {
      this.#events.shift();
      this.#dropped++;
    }
    this.#events.push(event);
  }

  end(): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#waiting?.({ value: undefined, done: true });
    this.#waiting = null;
    this.#onEnd();
  }

  next(): Promise<IteratorResult<Event, undefined>> {
    const event = this.#events.shift();
    if (event !== undefined) {
      return Promise.resolve({ value: event, done: false });
    }
    if (this.#ended) {
      return Promise.resolve({ value: undefined, done: true });
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<Event, undefined>> {
    this.#events.length = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
