/**
 * A member as the program that it runs in sees it: the store without a network between, replicated
 * objects, channels, and views.
 */
import { SystemRandom } from '../base/mod.ts';
import { Database } from '../client/mod.ts';
import { MemberDoor } from '../member-door.ts';
import { type Member, startMember as startBareMember } from '../node.ts';
import {
  type Channel,
  ChannelHost,
  type ChannelSettings,
  currentView,
  type OpenOptions,
  type ReplicatedClass,
  ReplicatedHost,
  type ReplicatedObject,
  type ViewEvent,
  watchViews,
} from '../replicated/mod.ts';

export class ProgramMember {
  readonly nodeId: number;
  /** The store: the SDK of `freshet/client`, through this member. */
  readonly db: Database;
  readonly #member: Member;
  readonly #objects: ReplicatedHost;
  readonly #channels: ChannelHost;

  constructor(member: Member) {
    const { nodeId, group, messages, store, clock, log } = member;
    const random = new SystemRandom();
    const run = [random.u32(), random.u32()].map((word) => word.toString(36)).join('');
    const options = { nodeId, group, messages, store, clock, log };
    this.nodeId = nodeId;
    this.db = new Database(new MemberDoor(member, () => ({})));
    this.#member = member;
    this.#objects = new ReplicatedHost(options, run);
    this.#channels = new ChannelHost(options, run);
  }

  /** The view now; null: none runs yet. */
  get view(): ViewEvent | null {
    return currentView(this.#member.group, this.nodeId);
  }

  /** The view now, then each that follows, until the iterator is returned or the member closes. */
  watchView(): AsyncIterableIterator<ViewEvent> {
    return watchViews(this.#member.group, this.nodeId);
  }

  /** Opens a replicated object: at every member of its shard, alike. See `OpenOptions`. */
  async open<Class extends ReplicatedClass>(
    type: Class,
    options: OpenOptions,
  ): Promise<ReplicatedObject<Class>> {
    return this.#objects.open(type, options);
  }

  /** Opens a channel among the members of a shard: at each of them. See `ChannelSettings`. */
  async channel<Message>(settings: ChannelSettings<Message>): Promise<Channel<Message>> {
    return this.#channels.open(settings);
  }

  /** Resolves once every shard of this member runs; rejects TIMEOUT, saying whom it waits for. */
  async whenRunning(timeoutMs?: number): Promise<void> {
    return this.#member.whenRunning(timeoutMs);
  }

  /** Ends the member; what waits is rejected with CLOSED. Idempotent. */
  async close(): Promise<void> {
    this.closeObjects();
    await this.#member.close();
  }

  /** What is built on the member, but not the member. */
  closeObjects(): void {
    this.#objects.close();
    this.#channels.close();
  }
}

/**
 * Starts a member in this process, from a configuration as `freshet server` reads it. Rejects with
 * a coded error that says what to mend.
 */
export async function startMember(config: unknown): Promise<ProgramMember> {
  return new ProgramMember(await startBareMember(config));
}
