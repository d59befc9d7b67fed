import { blankCore } from '../../../platform/group/group-state.ts';
import type { GroupEffect, GroupEvent } from '../../../platform/group/group-events.ts';
import { GroupMachine } from '../../../platform/group/group-machine.ts';
import type { Attempt, Fill } from '../../../platform/group/group-messages.ts';
import type { Observation } from '../../../platform/group/slow-members.ts';
import { type CoreView, nodesOf } from '../../../platform/group/view-codec.ts';
import { heldByRecord } from '../../../platform/group/shard-homes.ts';
import { noView, type ViewRecord } from '../../../platform/group/view-record.ts';
import { type Pending, WorldCore } from './world-core.ts';
import type { Place, WorldDisk, WorldLog } from './world-disk.ts';
import type { World } from './group-world.ts';
import { Violation } from './world-checks.ts';

/** Its yields are delays in ms; it fails by throwing. */
type Step = Generator<number, void>;
type StepEffect = Exclude<
  GroupEffect,
  { readonly type: 'send' | 'changed' | 'log' | 'refuse' | 'observe' | 'heal' | 'close' }
>;

const tickMs = 200;
const beatMs = 50;
const healEveryMs = 1000;

/** One run of a member's process: what group.ts, group-steps.ts and the agent do for the machine. */
export class WorldMember {
  readonly node: number;
  readonly disk: WorldDisk;
  readonly machine: GroupMachine;
  core: WorldCore;
  /** Of each shard: everyone has received it, it is not delivered here. */
  readonly received = new Map<number, Place[]>();
  /** Shards whose logs this process has read. */
  readonly opened = new Set<number>();
  alive = true;
  readonly #world: World;
  readonly #steps: (() => Step)[] = [];
  #working = false;
  #aborts = 0;
  #ticking = false;
  #coreWroteMs = 0;
  #observing = 0;

  constructor(world: World, node: number, disk: WorldDisk) {
    this.#world = world;
    this.node = node;
    this.disk = disk;
    this.core = this.#newCore();
    this.machine = new GroupMachine({
      me: node,
      layout: world.layout,
      run: world.nextRun(),
      incarnation: this.core.incarnation,
      record: disk.record,
      ringSize: 65_536,
      replaceAfterMs: world.replaceAfterMs,
      poolsIn: (subgroup) => world.pools.namesIn(this, subgroup),
      maxClockSkewMs: 500,
      nowMs: world.nowMs,
    });
    const held = heldByRecord(this.machine.layout, disk.record, node);
    for (const { shard } of held) this.opened.add(shard);
    this.#beat();
  }

  enter(event: GroupEvent): void {
    if (!this.alive) {
      return;
    }
    for (const effect of this.machine.onEvent(event, this.#world.nowMs)) {
      this.#execute(effect);
    }
    if (event.type === 'peer' && event.up) this.compareClocks(event.node);
    if (this.machine.wantsTicks && !this.#ticking) {
      this.#ticking = true;
      this.later(tickMs, () => {
        this.#ticking = false;
        this.enter({ type: 'tick' });
      });
    }
  }

  /** The answer says what the other's clock was at some moment in between. */
  compareClocks(node: number): void {
    const tookMs = 1 + this.#world.random.below(5);
    this.later(tookMs, () => {
      const aheadUs = this.#world.clockUs(node) - this.#world.clockUs(this.node);
      const offset = { leastUs: aheadUs - 1000 * tookMs, mostUs: aheadUs };
      const isUp = this.#world.isUp(this.node, node);
      if (isUp) this.enter({ type: 'clock', node, offset, stepUs: 0 });
    });
  }

  /** Runs only if this process still does. */
  later(delayMs: number, run: () => void): void {
    this.#world.after(delayMs, () => {
      if (this.alive) run();
    });
  }

  log(shard: number): WorldLog {
    return this.disk.log(shard);
  }

  /** Everybody has received it; it is delivered here after a while, and synced after another. */
  receive(shard: number, place: Place): void {
    this.received.set(shard, [...(this.received.get(shard) ?? []), place]);
    this.later(this.#world.random.below(60), () => {
      this.#deliver(shard, 1);
      this.later(this.#world.random.below(60), () => {
        this.log(shard).sync();
        this.#world.checks.onSynced(shard);
      });
    });
  }

  #deliver(shard: number, count: number): void {
    const waiting = this.received.get(shard) ?? [];
    for (const place of waiting.slice(0, count)) this.log(shard).append(place);
    this.received.set(shard, waiting.slice(count));
  }

  #newCore(): WorldCore {
    const world = this.#world;
    const node = this.node;
    const core: WorldCore = new WorldCore(
      node,
      world.nextIncarnation(),
      {
        peer: (other) => (world.isUp(node, other) ? (world.member(other)?.core ?? null) : null),
        downSince: (other) => world.downSince(node, other),
        prepare: (pending) => {
          this.#runAside(this.#prepareNext(core, pending));
        },
        installed: (view) => {
          world.checks.onInstalled(this, view);
          this.#runAside(this.#writeOfCore({ ...noView, committed: view }));
          this.#tellCore();
        },
        changed: () => {
          this.#tellCore();
        },
        outdated: () => {
          this.enter({ type: 'outdated', why: 'the others went on' });
        },
      },
      world.nowMs,
    );
    return core;
  }

  #beat(): void {
    this.core.step(this.#world.nowMs);
    this.later(beatMs, () => {
      this.#beat();
    });
  }

  /** A snapshot when it arrives, not when it was sent. */
  #tellCore(): void {
    this.later(this.#world.random.below(5), () => {
      const { state, pending } = this.core;
      this.enter({ type: 'core', core: state, proposal: pending?.view ?? null });
    });
  }

  #execute(effect: GroupEffect): void {
    switch (effect.type) {
      case 'send':
        this.#world.send(this.node, effect.to, effect.message);
        return;
      case 'log':
        this.#world.note(`${String(this.node)} ${effect.level}: ${effect.text}`);
        return;
      case 'changed':
        return;
      case 'observe':
        this.#observing++;
        for (const shard of effect.shards) this.#observe(shard, this.#observing, 0);
        return;
      case 'heal':
        this.#heal();
        return;
      case 'close': {
        const { closing } = effect;
        this.#world.pools.close(this, closing, (done) => {
          this.enter({ type: 'closed', closing, done });
        });
        return;
      }
      case 'refuse':
        throw new Violation(`histories of one place differ: ${JSON.stringify(effect.apart)}`);
      default:
        this.#queue(effect);
    }
  }

  /** One after the other; a new attempt gives up what waits or fills. */
  #queue(effect: StepEffect): void {
    if (effect.type === 'readStates' || effect.type === 'admit' || effect.type === 'renew') {
      this.#aborts++;
    }
    const aborts = this.#aborts;
    const isAborted = (): boolean => aborts !== this.#aborts;
    this.#steps.push(() => this.#guarded(effect, isAborted));
    if (!this.#working) {
      this.#working = true;
      this.#work();
    }
  }

  #work(): void {
    const next = this.#steps.shift();
    if (next === undefined) {
      this.#working = false;
      return;
    }
    this.#run(next(), () => {
      this.#work();
    });
  }

  #runAside(step: Step): void {
    this.#run(step, () => undefined);
  }

  #run(step: Step, onEnd: () => void): void {
    const next = step.next();
    if (next.done === true) {
      onEnd();
      return;
    }
    this.later(next.value, () => {
      this.#run(step, onEnd);
    });
  }

  *#guarded(effect: StepEffect, isAborted: () => boolean): Step {
    if (isAborted() && effect.type !== 'renew') {
      return;
    }
    try {
      yield this.#delay();
      yield* this.#perform(effect, isAborted);
    } catch (caught) {
      const reason = caught instanceof Failure ? caught.message : null;
      if (reason === null) {
        throw caught;
      }
      if (!isAborted()) {
        this.#fail(effect, reason);
      }
    }
  }

  #fail(effect: StepEffect, reason: string): void {
    if (effect.type === 'admit') {
      this.enter({ type: 'admitted', attempt: effect.attempt, reason, shards: [] });
    } else if (effect.type !== 'renew') {
      this.enter({ type: 'failed', attempt: effect.attempt, reason });
    }
  }

  *#perform(effect: StepEffect, isAborted: () => boolean): Step {
    switch (effect.type) {
      case 'readStates':
        this.#tellStates(effect.attempt, [...this.opened], this.disk.record);
        return;
      case 'stopShards':
        this.disk.record = { ...this.disk.record, offered: effect.offered };
        yield this.#delay();
        this.#seal(effect.shards);
        this.#tellStates(effect.attempt, effect.shards, null);
        return;
      case 'fill':
        yield* this.#fill(effect.fills, isAborted);
        this.#tellStates(
          effect.attempt,
          effect.fills.map(({ shard }) => shard),
          null,
        );
        return;
      case 'prepare':
        yield* this.#write(effect.record);
        this.enter({ type: 'done', attempt: effect.attempt });
        return;
      case 'start':
        yield* this.#write(effect.record);
        this.#world.checks.onStart(effect.view);
        if (!this.core.begin(effect.view, this.#world.nowMs)) {
          throw new Failure('the view cannot begin here');
        }
        this.enter({ type: 'done', attempt: effect.attempt });
        return;
      case 'admit':
        this.#seal(effect.sealed);
        yield* this.#fill(effect.fills, isAborted);
        this.enter({
          type: 'admitted',
          attempt: effect.attempt,
          reason: null,
          shards: effect.shards.map((shard) => this.log(shard).position(shard)),
        });
        return;
      case 'propose': {
        const taken = this.core.propose(effect.view);
        this.enter({ type: 'proposed', attempt: effect.attempt, taken });
        return;
      }
      case 'accuse':
        this.core.accuse(effect.node);
        return;
      case 'renew':
        this.renew(effect.why);
        return;
    }
  }

  /** Follows a shard, between steps, as observer-feed.ts does. */
  #observe(observation: Observation, nth: number, keptMs: number): void {
    const { shard, keepUpMs } = observation;
    const mine = this.core.installed?.shards.find((item) => item.shard === shard);
    const nodes = mine === undefined ? [] : nodesOf(this.core.installed as CoreView, mine);
    const donor = nodes.find((node) => node !== this.node && this.#world.isUp(this.node, node));
    const isFree = !this.#working && this.core.pending === null && !nodes.includes(this.node);
    if (isFree && mine !== undefined && donor !== undefined) {
      this.log(shard).follow(this.#donor(donor).log(shard), mine.epoch);
    }
    if (keptMs >= keepUpMs) this.enter({ type: 'keepsUp', shard, ready: true });
    this.later(100, () => {
      if (this.#observing === nth) this.#observe(observation, nth, keptMs + 100);
    });
  }

  #heal(): void {
    this.later(healEveryMs, () => {
      if (this.disk.fails) this.#heal();
      else this.enter({ type: 'disk', failed: false });
    });
  }

  renew(why: string): void {
    this.#world.note(`${String(this.node)} begins anew: ${why}`);
    this.received.clear();
    this.core = this.#newCore();
    const incarnation = this.core.incarnation;
    const core = { ...blankCore, incarnation };
    this.enter({ type: 'core', core, proposal: null });
  }

  #tellStates(attempt: Attempt, shards: readonly number[], record: ViewRecord | null): void {
    const positions = shards.map((shard) => this.log(shard).position(shard));
    this.enter({ type: 'states', attempt, shards: positions, record });
  }

  #seal(shards: readonly number[]): void {
    for (const shard of shards) {
      this.opened.add(shard);
      this.received.delete(shard);
      this.log(shard).sync();
    }
  }

  *#fill(fills: readonly Fill[], isAborted: () => boolean): Step {
    for (const { shard, donor } of fills) {
      yield* this.#fetch(shard, donor);
      if (isAborted()) {
        throw new Failure('given up');
      }
    }
  }

  /** Cut back first, filled later: a crash may come between. */
  *#fetch(shard: number, donor: number): Step {
    yield this.#delay();
    this.log(shard).cutBack(this.#donor(donor).log(shard));
    yield this.#delay();
    this.log(shard).copy(this.#donor(donor).log(shard));
  }

  #donor(node: number): WorldMember {
    const donor = this.#world.isUp(this.node, node) ? this.#world.member(node) : null;
    if (donor === null) {
      throw new Failure(`member ${String(node)} is not connected`);
    }
    return donor;
  }

  *#prepareNext(core: WorldCore, pending: Pending): Step {
    const { view, vote } = pending;
    yield this.#delay();
    const isCurrent = (): boolean => this.core === core && core.pending?.vote === vote;
    for (const { shard } of view.shards) {
      const next = view.shards.find((item) => item.shard === shard);
      const now = core.installed?.shards.find((item) => item.shard === shard);
      if (!isCurrent()) {
        return;
      }
      if (now?.members.includes(core.seat) === true && now.epoch !== next?.epoch) {
        // The trim of everyone who goes on is what all have received.
        this.#deliver(shard, Infinity);
        this.log(shard).sync();
      } else if (next?.members.some((seat) => this.#sits(view, seat)) === true) {
        // It begins with this view.
        const isFirst = now === undefined && core.installed !== null;
        if (isFirst) this.opened.add(shard);
        // A closed one was filled before.
        else if (now?.members.includes(core.seat) !== true && now?.closed !== true) {
          this.opened.add(shard);
          yield* this.#fetchFromEnded(view, shard, isCurrent);
        }
      }
    }
    if (isCurrent() && this.disk.fails) {
      this.enter({ type: 'disk', failed: true });
    } else if (isCurrent()) {
      const ballot = BigInt(pending.ballot);
      yield* this.#writeOfCore({ ...noView, committed: core.installed, prepared: view, ballot });
      core.prepared(vote);
    }
  }

  #sits(view: CoreView, seat: number): boolean {
    return view.members.some((member) => member.seat === seat && member.node === this.node);
  }

  /** From one that has delivered all of the epoch before; without any, this member gives up. */
  *#fetchFromEnded(view: CoreView, shard: number, isCurrent: () => boolean): Step {
    const core = view.shards.find((item) => item.shard === shard);
    const nodes = core === undefined ? [] : nodesOf(view, core);
    for (let tries = 0; tries < 100 && isCurrent(); tries++) {
      const donor = nodes
        .map((node) => (node !== this.node && this.#world.isUp(this.node, node) ? node : 0))
        .map((node) => this.#world.member(node))
        .find((peer) => peer?.hasEnded(view) === true);
      if (donor !== undefined && donor !== null) {
        const life = donor.core;
        try {
          yield* this.#fetch(shard, donor.node);
        } catch (caught) {
          if (!(caught instanceof Failure)) {
            throw caught;
          }
          continue;
        }
        if (donor.core === life) {
          return;
        }
      }
      yield 20;
    }
    if (isCurrent()) {
      this.renew('nobody has what it misses');
    }
  }

  /** Has delivered what ended for this view. */
  hasEnded(view: CoreView): boolean {
    const { installed, pending, preparedVote } = this.core;
    const waits = installed?.members.length === 1 && pending?.view.number === view.number;
    if (waits) {
      for (const shard of this.opened) {
        this.#deliver(shard, Infinity);
        this.log(shard).sync();
      }
    }
    const prepared = pending?.view.number === view.number && preparedVote === pending.vote;
    return waits || prepared || installed?.number === view.number;
  }

  *#write(record: Omit<ViewRecord, 'offered'>): Step {
    yield this.#delay();
    if (this.disk.fails) {
      this.enter({ type: 'disk', failed: true });
      throw new Failure('the disk failed');
    }
    this.#replace(record);
    yield this.#delay();
  }

  /** The core's records lie on disk in the order in which it wrote them. */
  *#writeOfCore(record: Omit<ViewRecord, 'offered'>): Step {
    const { nowMs } = this.#world;
    this.#coreWroteMs = Math.max(this.#coreWroteMs, nowMs + this.#delay());
    yield this.#coreWroteMs - nowMs;
    this.#replace(record);
    yield this.#delay();
  }

  #replace(record: Omit<ViewRecord, 'offered'>): void {
    this.disk.record = { ...record, offered: this.disk.record.offered };
    if (record.prepared !== null) this.#world.checks.onPrepared(this.node, record.prepared);
  }

  #delay(): number {
    return this.#world.random.below(20);
  }
}

class Failure extends Error {}
