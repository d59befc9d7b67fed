/**
 * Scenarios are lines of words, read here: `#` begins a comment, an empty line parts what belongs
 * together. What a line means is said in `test/README.md`.
 */

/** Members by id, all of them, or those that do not run. */
export type Members = readonly number[] | 'all' | 'down';

/** What happens to the ways between members. */
export type Fault =
  | { readonly verb: 'cut'; readonly from: readonly number[]; readonly to: readonly number[] }
  | { readonly verb: 'cut-one-way'; readonly from: number; readonly to: readonly number[] }
  | { readonly verb: 'delay'; readonly member: number; readonly ms: number }
  | { readonly verb: 'lose'; readonly member: number; readonly perMille: number };

export type Step =
  | Fault
  | { readonly verb: 'heal' }
  | { readonly verb: 'start' | 'kill' | 'stop' | 'continue'; readonly members: Members | 'leader' }
  | { readonly verb: 'stall-and-kill'; readonly member: number | 'leader' }
  | { readonly verb: 'leave'; readonly member: number; readonly freeMiB: number }
  | { readonly verb: 'count' | 'rest' | 'check' }
  | { readonly verb: 'progress'; readonly puts: number; readonly at: number | null }
  | { readonly verb: 'view'; readonly members: Members; readonly at: Members }
  | { readonly verb: 'refused'; readonly member: number; readonly codes: readonly string[] }
  | { readonly verb: 'put-refused'; readonly member: number; readonly codes: readonly string[] }
  | { readonly verb: 'wait'; readonly seconds: number };

export interface Line {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  readonly step: Step;
}

/** A whole scenario: what has to be there before its first step, and the steps. */
export interface Script {
  readonly name: string;
  readonly members: number;
  /** Bytes of each value that is put. */
  readonly valueBytes: number;
  /** MiB of members' own disks, by id. */
  readonly disks: ReadonlyMap<number, number>;
  readonly lines: readonly Line[];
}

/** Throws with file and line when it cannot be read. */
export function parseScript(name: string, text: string): Script {
  const disks = new Map<number, number>();
  const lines: Line[] = [];
  let members = 3;
  let valueBytes = 100;
  text.split('\n').forEach((raw, nth) => {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') return;
    const words = new Words(line, `${name}:${String(nth + 1)}`);
    if (line.startsWith('members ')) {
      members = words.skip(1).number();
    } else if (line.startsWith('value ')) {
      valueBytes = 1024 * words.skip(1).number('KiB');
    } else if (line.startsWith('disk ')) {
      const [member, size] = [words.skip(1).number(), words.number()];
      disks.set(member, size);
    } else {
      lines.push({ text: line, number: nth + 1, step: parseStep(words) });
    }
    words.end();
  });
  return { name, members, valueBytes, disks, lines };
}

/** One line that is a step. */
export function parseLine(line: string): Step {
  const words = new Words(line, 'a line');
  const step = parseStep(words);
  words.end();
  return step;
}

function parseStep(words: Words): Step {
  const verb = words.word();
  switch (verb) {
    case 'start':
    case 'kill':
    case 'stop':
    case 'continue':
      return { verb, members: words.is('leader') ? 'leader' : words.members() };
    case 'stall-and-kill':
      return { verb, member: words.is('leader') ? 'leader' : words.number() };
    case 'cut': {
      const from = words.numbers();
      if (words.is('|')) return { verb, from, to: words.numbers() };
      words.expect('->');
      const [only] = from;
      if (only === undefined || from.length > 1) throw words.wrong('one member before ->');
      return { verb: 'cut-one-way', from: only, to: words.numbers() };
    }
    case 'delay':
      return { verb, member: words.number(), ms: words.number('ms') };
    case 'lose':
      return { verb, member: words.number(), perMille: 10 * words.number('%') };
    case 'leave':
      return { verb, member: words.number(), freeMiB: words.number('MiB') };
    case 'heal':
    case 'count':
    case 'rest':
    case 'check':
      return { verb };
    case 'progress':
      return { verb, puts: words.number(), at: words.is('at') ? words.number() : null };
    case 'view': {
      const members = words.members();
      return { verb, members, at: words.is('at') ? words.members() : members };
    }
    case 'refused':
    case 'put-refused':
      return { verb, member: words.number(), codes: words.rest() };
    case 'wait':
      return { verb, seconds: words.number('s') };
    default:
      throw words.wrong(`a known verb, not ${verb}`);
  }
}

class Words {
  readonly #words: readonly string[];
  readonly #place: string;
  #next = 0;

  constructor(line: string, place: string) {
    this.#words = line.split(/\s+/);
    this.#place = place;
  }

  skip(count: number): this {
    this.#next += count;
    return this;
  }

  word(): string {
    const word = this.#words[this.#next];
    if (word === undefined) throw this.wrong('another word');
    this.#next++;
    return word;
  }

  /** Takes this very word if it comes next. */
  is(word: string): boolean {
    const found = this.#words[this.#next] === word;
    if (found) this.#next++;
    return found;
  }

  expect(word: string): void {
    if (!this.is(word)) throw this.wrong(word);
  }

  number(unit = ''): number {
    const word = this.word();
    const digits = word.endsWith(unit) ? word.slice(0, word.length - unit.length) : '';
    if (!/^\d+(\.\d+)?$/.test(digits)) throw this.wrong(`a number${unit && ` of ${unit}`}`);
    return Number(digits);
  }

  /** One or more. */
  numbers(): readonly number[] {
    const found = [this.number()];
    while (/^\d/.test(this.#words[this.#next] ?? '')) found.push(this.number());
    return found;
  }

  members(): Members {
    if (this.is('all')) return 'all';
    return this.is('down') ? 'down' : this.numbers();
  }

  rest(): readonly string[] {
    const words = this.#words.slice(this.#next);
    this.#next = this.#words.length;
    return words;
  }

  end(): void {
    if (this.#next < this.#words.length) throw this.wrong('the end of the line');
  }

  wrong(wanted: string): Error {
    const line = this.#words.join(' ');
    return new Error(`${this.#place}: expected ${wanted} at word ${this.#next + 1} of '${line}'`);
  }
}
