/** One try of a change at one member. */
import {
  conditionError,
  type FreshetError,
  type ObjectChange,
  type PutResult,
} from '../../base/mod.ts';
import { coreError } from '../../bridge/mod.ts';
import type { DoorCall } from './door-connection.ts';
import type { FrameWriter } from './door-frames.ts';

export interface ChangeAnswer {
  readonly resolve: (result: PutResult) => void;
  readonly reject: (error: FreshetError) => void;
}

/** What a change takes beside its key and its value, about, bytes. */
const overhead = 64;

export class ChangeCall implements DoorCall {
  readonly size: number;
  readonly until: number;
  readonly session: number;
  readonly isUnanswered: boolean;
  readonly #change: ObjectChange;
  readonly #shard: number;
  readonly #statusNames: readonly string[];
  readonly #answer: ChangeAnswer;

  constructor(
    change: ObjectChange,
    shard: number,
    until: number,
    statusNames: readonly string[],
    answer: ChangeAnswer,
  ) {
    this.size = overhead + change.key.length + (change.value?.byteLength ?? 0);
    this.until = until;
    this.session = change.session?.session ?? 0;
    this.isUnanswered = change.ack === 'none';
    this.#change = change;
    this.#shard = shard;
    this.#statusNames = statusNames;
    this.#answer = answer;
  }

  write(out: FrameWriter, number: number): void {
    out.change(number, this.#shard, this.#change);
  }

  onDone(status: number, epoch: number, version: number, time: number, previous: number): void {
    if (status === 0) {
      const previousVersionOfKey = previous > 0 ? previous : null;
      this.#answer.resolve({ version, epoch, time, previousVersionOfKey });
      return;
    }
    this.#answer.reject(this.#errorOf(status, previous));
  }

  onObject(): void {
    this.onFailed(this.#errorOf(this.#statusNames.length, 0));
  }

  onFailed(error: FreshetError): void {
    this.#answer.reject(error);
  }

  #errorOf(status: number, previous: number): FreshetError {
    const { key } = this.#change;
    if (this.#statusNames[status] === 'CONDITION_FAILED') return conditionError(key, previous);
    const details = { key, shard: this.#shard };
    return coreError(this.#statusNames, status, `The change of ${key}`, details);
  }
}
