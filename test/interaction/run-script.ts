/** Does what the steps of scenarios say, one after the other, to one cluster. */
import { setTimeout as pause } from 'node:timers/promises';
import { toFreshetError } from '../../platform/base/mod.ts';
import { CountingClient, countingDefaults } from '../support/counting-client.ts';
import { Lab } from './lab.ts';
import type { Line, Members, Script, Step } from './script.ts';

const waitEveryMs = 10;
/** No step takes so long unless something hangs. */
const hangMs = 120_000;
const probeKey = '/milk/probe';
const probeTimeoutMs = 500;
const pools = [
  { name: '/milk', kind: 'persistent' },
  { name: '/herd', kind: 'volatile' },
] as const;

export interface RunnerOptions {
  readonly members: number;
  /** Of each value that the client puts. */
  readonly valueBytes: number;
  readonly disks: ReadonlyMap<number, number>;
  /** An empty folder for the members' data. */
  readonly folder: string;
  readonly seed: number;
  readonly say: (text: string) => void;
}

export class ScriptRunner {
  readonly lab: Lab;
  readonly client: CountingClient;
  readonly #options: RunnerOptions;
  #isCounting = false;
  #probes = 0;

  private constructor(options: RunnerOptions, lab: Lab) {
    this.#options = options;
    this.lab = lab;
    this.client = new CountingClient(lab.doors, {
      ...countingDefaults,
      seed: options.seed,
      valueBytes: options.valueBytes,
      pools,
    });
  }

  /** A network with hosts where no member runs yet. */
  static async open(options: RunnerOptions): Promise<ScriptRunner> {
    const { members, folder, seed } = options;
    const lab = await Lab.open({ members, folder, seed });
    for (const [id, size] of options.disks) await lab.giveDisk(id, size);
    return new ScriptRunner(options, lab);
  }

  async runScript({ name, lines }: Script): Promise<void> {
    this.#options.say(`== ${name}`);
    for (const line of lines) await this.runLine(line, `${name}:${String(line.number)}`);
  }

  /** Throws with place and line when what a line expects does not come, or a fault has shown. */
  async runLine({ text, step }: Omit<Line, 'number'>, place: string): Promise<void> {
    const began = performance.now();
    const given = AbortSignal.timeout(hangMs);
    const hangs = new Promise<never>((_, reject) => {
      given.addEventListener('abort', () => {
        reject(new Error(`it did not come in ${String(hangMs / 1000)} s`));
      });
    });
    try {
      await Promise.race([this.#do(step), hangs]);
      const [fault] = this.client.faults;
      if (fault !== undefined) throw new Error(this.client.faults.slice(0, 20).join('\n'));
    } catch (caught) {
      const looks = await this.#describe();
      throw new Error(`${place}: ${text}: ${String(caught)}\n${looks}`, { cause: caught });
    }
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    this.#options.say(`${seconds.padStart(6)} s  ${text}`);
  }

  async close(): Promise<void> {
    await this.lab.close();
  }

  async #do(step: Step): Promise<void> {
    const { lab, client } = this;
    switch (step.verb) {
      case 'start':
        return this.#start(await this.#ids(step.members));
      case 'kill':
        return this.#kill(await this.#ids(step.members));
      case 'stop':
      case 'continue':
        for (const id of await this.#ids(step.members)) {
          lab.signal(id, step.verb === 'stop' ? 'SIGSTOP' : 'SIGCONT');
        }
        return;
      case 'stall-and-kill':
        return this.#stallAndKill(step.member === 'leader' ? await lab.leader() : step.member);
      case 'cut':
        await lab.network.change(step.from, step.to, { cut: true });
        return lab.network.change(step.to, step.from, { cut: true });
      case 'cut-one-way':
        return lab.network.change([step.from], step.to, { cut: true });
      case 'delay':
        return this.#around(step.member, { delayMs: step.ms });
      case 'lose':
        return this.#around(step.member, { lossPerMille: step.perMille });
      case 'heal':
        return lab.network.heal();
      case 'leave':
        return lab.leaveOnDisk(step.member, step.freeMiB);
      case 'count':
        await client.createPools();
        client.begin();
        this.#isCounting = true;
        return;
      case 'rest':
        this.#isCounting = false;
        return client.rest();
      case 'check':
        return this.#check();
      case 'progress':
        return this.#progress(step.puts, step.at);
      case 'view':
        return lab.whenInView(await this.#ids(step.members), await this.#ids(step.at));
      case 'refused':
        return this.#refused(step.codes, step.member, (id) => this.#refusalOfRead(id));
      case 'put-refused':
        return this.#refused(step.codes, step.member, (id) => this.#refusalOfPut(id));
      case 'wait':
        await pause(step.seconds * 1000);
    }
  }

  async #start(ids: readonly number[]): Promise<void> {
    // Answers that were under way when a majority was lost have come by now.
    if (this.#isMajorityDown()) this.client.onLost();
    await this.lab.start(ids);
  }

  async #kill(ids: readonly number[]): Promise<void> {
    await this.lab.kill(ids);
    if (this.#isMajorityDown()) this.client.onLost();
  }

  #isMajorityDown(): boolean {
    const { down, ids } = this.lab;
    return down.length * 2 >= ids.length;
  }

  async #stallAndKill(victim: number): Promise<void> {
    for (const [id, { members, ms }] of await this.lab.stallAndKill(victim)) {
      if (members.length > 0 && !members.includes(victim)) continue;
      const held = `in ${String(Math.round(ms))} ms in which no event loop turned`;
      throw new Error(`member ${String(id)} was in a view of ${members.join(', ')} ${held}`);
    }
  }

  #around(member: number, way: { delayMs: number } | { lossPerMille: number }): Promise<void> {
    const others = this.lab.ids.filter((id) => id !== member);
    return Promise.all([
      this.lab.network.change([member], others, way),
      this.lab.network.change(others, [member], way),
    ]).then(() => undefined);
  }

  async #progress(puts: number, at: number | null): Promise<void> {
    const { client } = this;
    const count = () => (at === null ? client.acknowledged : client.acknowledgedAt(at));
    const wanted = count() + puts;
    while (count() < wanted && client.faults.length === 0) await pause(waitEveryMs);
  }

  /** All puts have come to an end, and everything acknowledged is found at every member. */
  async #check(): Promise<void> {
    const { client, lab } = this;
    const goesOn = this.#isCounting;
    if (goesOn) await client.rest();
    const found = await client.check(lab.awake);
    const { delivered, persisted, reads } = client.counts;
    const levels = `${String(persisted)} persisted and ${String(delivered)} delivered`;
    this.#options.say(`         ${levels} puts, ${String(found)} versions, ${String(reads)} reads`);
    if (goesOn) client.begin();
  }

  /** Asks until it is refused with one of the codes, or any when none is given. */
  async #refused(
    codes: readonly string[],
    member: number,
    ask: (id: number) => Promise<string | null>,
  ): Promise<void> {
    for (;;) {
      const code = await ask(member);
      if (code !== null && (codes.length === 0 || codes.includes(code))) return;
      await pause(waitEveryMs);
    }
  }

  #refusalOfRead(id: number): Promise<string | null> {
    const door = this.lab.doors.get(id);
    return codeOf(door?.get({ key: probeKey, timeoutMs: probeTimeoutMs }));
  }

  #refusalOfPut(id: number): Promise<string | null> {
    const door = this.lab.doors.get(id);
    const value = Buffer.from('probe');
    // Another each time: a member refuses for shards of its own, and may not hold the first one's.
    const key = `${probeKey}/${String(this.#probes++)}`;
    return codeOf(door?.put({ key, value, timeoutMs: probeTimeoutMs }));
  }

  async #ids(members: Members | 'leader'): Promise<readonly number[]> {
    if (members === 'all') return this.lab.ids;
    if (members === 'down') return this.lab.down;
    return members === 'leader' ? [await this.lab.leader()] : members;
  }

  /** How the members see it, for whoever has to find out why a line failed. */
  async #describe(): Promise<string> {
    const looks = this.lab.awake.map(async (id) => {
      const look = this.lab.look(id).catch(String);
      return `member ${String(id)}: ${JSON.stringify(await Promise.race([look, pause(2000)]))}`;
    });
    const counts = `client: ${JSON.stringify(this.client.counts)}`;
    return [...(await Promise.all(looks)), counts].join('\n');
  }
}

/** null: it was answered. */
async function codeOf(asked: Promise<unknown> | undefined): Promise<string | null> {
  try {
    await asked;
    return null;
  } catch (caught) {
    return toFreshetError(caught).code;
  }
}
