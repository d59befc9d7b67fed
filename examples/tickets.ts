/**
 * Two agents sell the same seat at the same moment. Naive copies decide by what they have and tell
 * each other afterwards: each keeps its own customer, and they differ for ever (Sagar Jha, CS 5412,
 * "Replication is non-trivial"). With a put under a condition one of them is refused.
 *
 *   npx tsx examples/tickets.ts
 */
import {
  type Channel,
  isFreshetError,
  type ProgramMember,
  runLocalProgram,
} from '../platform/member/mod.ts';

interface Booking {
  readonly seat: string;
  readonly customer: string;
}

interface Agent {
  readonly member: ProgramMember;
  readonly channel: Channel<Booking>;
  /** This agent's own copy of the seats, and what it has booked but not told yet. */
  readonly seats: Map<string, string>;
  readonly untold: Booking[];
  readonly refused: Booking[];
}

const pool = '/theatre/seats';

async function start(member: ProgramMember): Promise<Agent> {
  const seats = new Map<string, string>();
  const refused: Booking[] = [];
  const channel = await member.channel<Booking>({
    name: '/theatre/bookings',
    timeoutMs: 60_000,
    onEvent: (event) => {
      if (event.type !== 'message' || event.from === member.nodeId) return;
      const { seat, customer } = event.message;
      if (seats.has(seat)) refused.push({ seat, customer });
      else seats.set(seat, customer);
    },
  });
  await member.db.createPool({ name: pool, kind: 'persistent' });
  return { member, channel, seats, untold: [], refused };
}

const calls = {
  /** Naive: the seat is free here, so it is sold. */
  bookHere: ({ seats, untold }: Agent, { seat, customer }: Booking) => {
    if (seats.has(seat)) return Promise.resolve(false);
    seats.set(seat, customer);
    untold.push({ seat, customer });
    return Promise.resolve(true);
  },
  tellOthers: async ({ channel, untold }: Agent) => {
    for (const booking of untold.splice(0)) await channel.fbcast(booking);
    await channel.flush();
  },
  seat: ({ seats }: Agent, seat: string) => Promise.resolve(seats.get(seat) ?? null),
  refused: ({ refused }: Agent) => Promise.resolve(refused.length),
  /** The seat must not exist: one of all puts at the same moment is the first. */
  book: async ({ member }: Agent, { seat, customer }: Booking) => {
    try {
      await member.db.pool<string>(pool).put(seat, customer, { expect: { versionOfKey: 0 } });
      return true;
    } catch (error) {
      if (!isFreshetError(error, 'CONDITION_FAILED')) throw error;
      return false;
    }
  },
  bookedSeat: async ({ member }: Agent, seat: string) =>
    (await member.db.pool<string>(pool).get(seat))?.value ?? null,
};

await runLocalProgram(import.meta.url, {
  members: 2,
  start,
  calls,
  main: async (cluster) => {
    const ids = [1, 2];
    const seat = 'row-7-seat-1';
    const of = (id: number): Booking => ({ seat, customer: `customer of agent ${String(id)}` });
    const atEach = async <Result>(run: (id: number) => Promise<Result>): Promise<Result[]> =>
      Promise.all(ids.map(run));

    const sold = await atEach((id) => cluster.call(id, 'bookHere', of(id)));
    await atEach((id) => cluster.call(id, 'tellOthers'));
    const naive = {
      sold,
      refused: await atEach((id) => cluster.call(id, 'refused')),
      copies: await atEach((id) => cluster.call(id, 'seat', seat)),
    };
    const soldOnce = await atEach((id) => cluster.call(id, 'book', of(id)));
    const copies = await atEach((id) => cluster.call(id, 'bookedSeat', seat));
    return { naive, conditional: { sold: soldOnce, copies } };
  },
});
