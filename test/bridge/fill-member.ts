/** The native side of a member that runs a volatile shard alone, and what it is filled with. */
import { type FreshetError, silentLogger } from '../../platform/base/mod.ts';
import {
  acks,
  extraColumns,
  extraWidth,
  loadAddon,
  multicastAlgorithms,
  recordKinds,
} from '../../platform/bridge/mod.ts';
import type { Completion } from '../../platform/group/core-types.ts';
import type { Delivery } from '../../platform/group/layout-options.ts';
import { MemberCore } from '../../platform/group/member-core.ts';
import { positionCall } from '../../platform/group/observer-feed.ts';
import type { CallHandler, PeerMessages } from '../../platform/group/peer-messages.ts';
import { ShardFiller } from '../../platform/group/shard-filler.ts';
import { prepareEpoch, setShardRules } from '../../platform/group/view-calls.ts';
import { ChangeWaiter } from '../../platform/group/waiter.ts';
import { memberOptions, poolId } from './native-member.ts';

export const shard = 1;
const MiB = 1024 * 1024;

export interface Position {
  readonly epoch: number;
  readonly sequence: number;
  readonly version: number;
}

class Answer extends ChangeWaiter {
  readonly complete: (completion: Completion) => void;
  readonly fail: (error: FreshetError) => void;

  constructor(complete: (completion: Completion) => void, fail: (error: FreshetError) => void) {
    super();
    this.complete = complete;
    this.fail = fail;
  }
}

/** Nobody is between members. */
export class FillMember {
  readonly core: MemberCore;
  readonly #delivery: Delivery;
  readonly filler: ShardFiller;
  readonly handlers = new Map<string, CallHandler>();
  readonly donors = new Map<number, FillMember>();
  /** Before each call of a donor. */
  onCall: (name: string) => Promise<void> = () => Promise.resolve();
  bytes = 0;
  reads = 0;

  constructor(nodeId: number, delivery: Delivery = 'ordered') {
    this.#delivery = delivery;
    this.core = new MemberCore(loadAddon(), memberOptions({ nodeId }), silentLogger());
    const messages = {
      handle: (name: string, run: CallHandler) => this.handlers.set(name, run),
      call: (node: number, name: string, argument: unknown) => this.#call(node, name, argument),
    };
    const shardOf = (): { persistent: boolean; delivery: Delivery } => ({
      persistent: false,
      delivery,
    });
    const peers = messages as unknown as PeerMessages;
    this.filler = new ShardFiller({
      ...{ core: this.core, messages: peers, shardOf, isDiskFull: () => false },
      cutBack: async (id, [epoch, sequence]) => {
        await this.core.cutBack(id, epoch, sequence);
      },
    });
    this.handlers.set(positionCall, async () => {
      const { epoch, sequence } = await this.position();
      return [epoch, sequence];
    });
  }

  async #call(node: number, name: string, argument: unknown): Promise<unknown> {
    await this.onCall(name);
    const answer = await this.donors.get(node)?.handlers.get(name)?.(this.core.nodeId, argument);
    if (answer instanceof Uint8Array) {
      this.reads++;
      this.bytes += answer.byteLength;
    }
    return answer;
  }

  async open(): Promise<void> {
    await this.core.openShard({ shard, persistent: false, memoryMax: 256 * MiB });
    const blocks = { multicast: multicastAlgorithms.binomial, blockSize: 256 * 1024 };
    const raw = this.#delivery === 'raw';
    await setShardRules(this.core, { shard, raw, ...blocks });
  }

  /** Makes the memory of an epoch with these members, the first of whom alone sends. */
  async prepare(epoch: number, members: readonly number[]): Promise<void> {
    const options = { shard, epoch, members, senders: [0] };
    await prepareEpoch(this.core, { ...options, ringSize: MiB, dispatchLagMax: Infinity });
  }

  async start(epoch: number): Promise<void> {
    const { core } = this;
    await core.call('start', (token) => core.addon.startEpoch(core.handle, shard, epoch, token));
  }

  /** Runs an epoch alone. */
  async begin(epoch: number): Promise<void> {
    await this.prepare(epoch, [this.core.nodeId]);
    await this.start(epoch);
  }

  async position(): Promise<Position> {
    const bytes = await this.core.shardState(shard);
    const { epoch, sequence, version } = JSON.parse(String(bytes)) as Position;
    return { epoch, sequence, version };
  }

  async makePool(): Promise<void> {
    await this.#sendRules(false);
  }

  async #sendRules(closed: boolean): Promise<void> {
    const rules = Buffer.alloc(24);
    rules.writeUInt32LE(poolId, 0);
    rules.writeUInt32LE(1, 4);
    rules.writeBigUInt64LE(1n << 30n, 8);
    rules.writeUInt8(closed ? 1 : 0, 18);
    await this.#submit(recordKinds.control, 0, `pool/${String(poolId)}`, rules, null);
  }

  /** Returns the version. */
  async put(key: string, value: Uint8Array, session = 0, request = 0): Promise<number> {
    const extra = new Float64Array(extraWidth).fill(-1);
    extra[extraColumns.eventTime] = NaN;
    extra[extraColumns.session] = session;
    extra[extraColumns.request] = request;
    extra[extraColumns.lowestUnanswered] = 1;
    return this.#submit(recordKinds.put, poolId, key, value, extra);
  }

  async trigger(key: string): Promise<void> {
    await this.#submit(recordKinds.trigger, poolId, key, Buffer.from(key), null);
  }

  /** The rules of the pool, changed to those of one that was removed. */
  async closePool(): Promise<void> {
    await this.#sendRules(true);
  }

  async #submit(
    kind: number,
    pool: number,
    key: string,
    value: Uint8Array,
    extra: Float64Array | null,
  ): Promise<number> {
    const change = { shard, kind, ack: acks.delivered, pool, key, value, meta: null, extra };
    const done = await new Promise<Completion>((resolve, reject) => {
      const refused = this.core.submit(change, new Answer(resolve, reject));
      if (refused !== 0) reject(new Error(`refused: ${String(refused)}`));
    });
    const status = this.core.statusName(done.status);
    if (status !== 'OK') throw new Error(`refused: ${status}`);
    return done.version;
  }
}
