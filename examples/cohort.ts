/**
 * Coordinator and cohort: every member hears of every request. One of them, the coordinator, works
 * on it; the others, its cohort, watch. When it fails, the next one begins with the request anew;
 * who asked has one answer, whoever gave it.
 *
 *   npx tsx examples/cohort.ts
 */
import { type Channel, type ProgramMember, runLocalProgram } from '../platform/member/mod.ts';

type Message =
  | { readonly type: 'request'; readonly id: number; readonly input: number }
  | { readonly type: 'answer'; readonly id: number; readonly by: number; readonly value: number };

type Answer = Extract<Message, { type: 'answer' }>;

class Service {
  readonly answers: Answer[] = [];
  /** Requests that nobody has answered yet, and those on which this member works. */
  readonly #open = new Map<number, number>();
  readonly #mine = new Set<number>();
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #me: number;
  #members: readonly number[] = [];
  #channel: Channel<Message> | null = null;

  private constructor(me: number) {
    this.#me = me;
  }

  static async open(member: ProgramMember): Promise<Service> {
    const service = new Service(member.nodeId);
    service.#channel = await member.channel<Message>({
      name: '/service/requests',
      timeoutMs: 60_000,
      onEvent: (event) => {
        if (event.type === 'view') service.#onView(event.members);
        else if (event.type === 'message') service.#onMessage(event.message);
      },
    });
    return service;
  }

  /** Requests on which this member works. */
  get working(): readonly number[] {
    return [...this.#mine];
  }

  async ask(id: number, input: number): Promise<Answer> {
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    await this.#channel?.cbcast({ type: 'request', id, input });
    return answered;
  }

  #onMessage(message: Message): void {
    if (message.type === 'request') {
      this.#open.set(message.id, message.input);
      this.#considerWork(message.id);
    } else if (this.#open.delete(message.id)) {
      // A coordinator may fail after its answer is out: the second one for it says the same.
      this.answers.push(message);
      this.#waiting.get(message.id)?.(message);
    }
  }

  #onView(members: readonly number[]): void {
    this.#members = members;
    for (const id of this.#open.keys()) this.#considerWork(id);
  }

  /** All see the same view, so they agree on the coordinator of a request without a message. */
  #considerWork(id: number): void {
    const coordinator = this.#members[id % this.#members.length];
    if (coordinator !== this.#me || this.#mine.has(id)) return;
    this.#mine.add(id);
    void this.#work(id, this.#open.get(id) ?? 0);
  }

  async #work(id: number, input: number): Promise<void> {
    // Member 3 takes long over it: it is to fail in the middle of its work.
    await new Promise((resolve) => setTimeout(resolve, this.#me === 3 ? 60_000 : 10));
    await this.#channel?.cbcast({ type: 'answer', id, by: this.#me, value: input * input });
    this.#mine.delete(id);
  }
}

const calls = {
  ask: (service: Service, [id, input]: readonly [number, number]) => service.ask(id, input),
  working: (service: Service) => Promise.resolve(service.working),
  answers: (service: Service) => Promise.resolve(service.answers),
};

await runLocalProgram(import.meta.url, {
  start: (member: ProgramMember) => Service.open(member),
  calls,
  main: async (cluster) => {
    const ids = [0, 1, 2, 3, 4, 5];
    const asked = ids.map((id) => cluster.call(1, 'ask', [id, id + 10]));
    while ((await cluster.call(3, 'working')).length < 2);
    await cluster.kill(3);
    const answers = await Promise.all(asked);
    // The other member of the cohort hears of each, too, if later than who asked.
    let told: readonly Answer[] = [];
    while (told.length < ids.length) told = await cluster.call(2, 'answers');
    return {
      values: answers.map(({ value }) => value),
      by: answers.map(({ by }) => by),
      answersAtTheOther: told.map(({ id }) => id).sort((a, b) => a - b),
    };
  },
});
