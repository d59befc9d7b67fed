/** A trigger on its way to one member. */
import type { FreshetError } from '../../base/mod.ts';
import type { DoorCall } from './door-connection.ts';
import type { FrameWriter, TriggerFrame } from './door-frames.ts';

export interface TriggerAnswer {
  /** µs: when the member took it in. */
  readonly resolve: (time: number) => void;
  /** The member did not take it in; its gRPC door says why. */
  readonly refuse: () => void;
  /** UNREACHABLE, TIMEOUT, OVERLOADED, CLOSED, as of `DoorCall`. */
  readonly reject: (error: FreshetError) => void;
}

const overhead = 64;

export class TriggerCall implements DoorCall {
  readonly size: number;
  readonly until: number;
  readonly session = 0;
  readonly isUnanswered = false;
  readonly #trigger: TriggerFrame;
  readonly #answer: TriggerAnswer;

  constructor(trigger: TriggerFrame, until: number, answer: TriggerAnswer) {
    this.size = overhead + trigger.key.length + trigger.value.byteLength;
    this.until = until;
    this.#trigger = trigger;
    this.#answer = answer;
  }

  write(out: FrameWriter, number: number): void {
    out.trigger(number, this.#trigger);
  }

  onDone(status: number, _epoch: number, _version: number, time: number): void {
    if (status === 0) this.#answer.resolve(time);
    else this.#answer.refuse();
  }

  onObject(): void {
    this.#answer.refuse();
  }

  onFailed(error: FreshetError): void {
    this.#answer.reject(error);
  }
}
