/**
 * Connections with members, by node: made before they are needed, and again after a pause when they
 * are lost.
 *
 * Thread: event loop.
 */
import { type Clock, FreshetError, type NativeAddress, type Random } from '../../base/mod.ts';
import { pauseMs } from '../retry-policy.ts';
import { DoorConnection } from './door-connection.ts';
import type { Dial } from './door-socket.ts';
import type { Topology } from './topology.ts';

export interface MemberDoorsOptions {
  readonly statusNames: readonly string[];
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  /** A member knows a view that the topology may not know. */
  readonly onView: (view: number) => void;
  /** A connection was lost, or refused. */
  readonly onLost: (error: FreshetError) => void;
}

interface MemberDoor {
  readonly address: NativeAddress;
  connection: DoorConnection | null;
  /** In a row. */
  failures: number;
  /** Monotonic ms before which it is not tried again. */
  notBefore: number;
}

export class MemberDoors {
  readonly #options: MemberDoorsOptions;
  readonly #doors = new Map<number, MemberDoor>();
  readonly #waiters = new Set<() => void>();
  #topology: Topology | null = null;

  constructor(options: MemberDoorsOptions) {
    this.#options = options;
  }

  /** Members that are gone, or have moved, are left; all others are connected with. */
  follow(topology: Topology): void {
    this.#topology = topology;
    for (const [node, { address, connection }] of this.#doors) {
      const now = topology.addresses.get(node);
      if (now?.host === address.host && now.port === address.port) continue;
      this.#doors.delete(node);
      connection?.close();
    }
    for (const [node, address] of topology.addresses) {
      if (this.#doors.has(node)) continue;
      this.#doors.set(node, { address, connection: null, failures: 0, notBefore: 0 });
      this.#connection(node);
    }
  }

  /**
   * Whom to ask: the first that is connected, else the first that is being connected with. `except`:
   * only if there is nobody else. null: nobody can be asked now.
   */
  route(order: readonly number[], except: number | null = null): DoorConnection | null {
    let second: DoorConnection | null = null;
    for (const node of order) {
      const connection = this.#connection(node);
      if (connection === null) continue;
      if (connection.isOpen && node !== except) return connection;
      if (second === null || second.nodeId === except) second = connection;
    }
    return second;
  }

  /** The connection with this member; null: there is none now. */
  open(node: number): DoorConnection | null {
    const connection = this.#connection(node);
    return connection?.isOpen === true ? connection : null;
  }

  /** As `route`, once connected. Rejects UNREACHABLE: none of them is, nor can be now. */
  async openRoute(order: readonly number[], except: number | null): Promise<DoorConnection> {
    for (;;) {
      const connection = this.route(order, except);
      if (connection === null) {
        const nodes = order.map(String).join(', ');
        throw new FreshetError('UNREACHABLE', `The native doors of members ${nodes} are gone`);
      }
      if (connection.isOpen) return connection;
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
      });
    }
  }

  /** Resolves once a member is connected, or none can be, or the time is over. */
  async whenAny(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.monotonicMs() + timeoutMs;
    const isWaiting = (): boolean => {
      const connections = [...this.#doors.values()].flatMap(({ connection }) => connection ?? []);
      const isOpening = connections.length > 0 && !connections.some(({ isOpen }) => isOpen);
      return isOpening && clock.monotonicMs() < deadline;
    };
    while (isWaiting()) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(Math.max(1, deadline - clock.monotonicMs()), resolve);
        this.#waiters.add(() => {
          cancel();
          resolve();
        });
      });
    }
  }

  close(): void {
    for (const { connection } of this.#doors.values()) connection?.close();
    this.#doors.clear();
    this.#awake();
  }

  #connection(node: number): DoorConnection | null {
    const door = this.#doors.get(node);
    const { clock } = this.#options;
    if (door === undefined || this.#topology === null) return null;
    if (door.connection !== null) return door.connection;
    if (clock.monotonicMs() < door.notBefore) return null;
    door.connection = this.#connect(door, this.#topology);
    return door.connection;
  }

  #connect(door: MemberDoor, { ticket }: Topology): DoorConnection {
    const { onView, onLost, clock } = this.#options;
    return new DoorConnection({
      ...this.#options,
      address: door.address,
      ticket,
      onOpen: () => {
        door.failures = 0;
        this.#awake();
      },
      onView,
      onLost: (error) => {
        door.connection = null;
        door.failures++;
        door.notBefore = clock.monotonicMs() + pauseMs(door.failures, 1);
        this.#awake();
        onLost(error);
      },
    });
  }

  #awake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const awake of waiters) awake();
  }
}
