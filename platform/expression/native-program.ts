import { compareText } from '../base/mod.ts';
import { nativeLimits } from './limits.ts';
import { refusal } from './refuse.ts';

/**
 * # The native filter program, version 1 (normative)
 *
 * A program decides for one record whether it passes. It is a byte string of 1 to 4096 bytes, a
 * sequence of instructions for a stack machine, without jumps: every instruction runs once, in
 * order, so a program runs in time linear in its length and the lengths of key and texts. All
 * numbers in it are little endian.
 *
 *     0x01 u8           push a field: 0 key (text); 1 version, 2 time, 3 eventTime, 4 size (number)
 *     0x02 f64          push a number
 *     0x03 u16 bytes…   push a text: its length in bytes, then its UTF-8
 *     0x10 eq  0x11 ne  0x12 lt  0x13 le  0x14 gt  0x15 ge      two numbers or two texts → boolean
 *     0x16 startsWith  0x17 endsWith  0x18 contains             two texts → boolean
 *     0x20 and  0x21 or                                         two booleans → boolean
 *     0x22 not                                                  one boolean → boolean
 *
 * An operator takes its right operand from the top of the stack and its left one from below it,
 * and pushes the result. The stack holds at most 32 entries. After the last instruction it holds
 * exactly one, a boolean: whether the record passes.
 *
 * Values. Numbers are IEEE 754 doubles: version, size and times (µs) are safe integers; an
 * eventTime that is absent is NaN. With NaN on either side eq, lt, le, gt and ge are false and ne
 * is true. Texts are byte strings, compared as unsigned bytes, the shorter first where one starts
 * with the other. An empty text starts, ends and is contained in every text.
 *
 * Verification. The type of every entry is known without a record, so a reader checks a program
 * once, before the first record: length, known opcodes and fields, whole operands, types, stack
 * depth, the one boolean at the end. A program that fails is refused with INVALID_QUERY and runs
 * for no record; one that passes cannot fail.
 */
export const nativeOpcodes = Object.freeze({
  pushField: 0x01,
  pushNumber: 0x02,
  pushText: 0x03,
  eq: 0x10,
  ne: 0x11,
  lt: 0x12,
  le: 0x13,
  gt: 0x14,
  ge: 0x15,
  startsWith: 0x16,
  endsWith: 0x17,
  contains: 0x18,
  and: 0x20,
  or: 0x21,
  not: 0x22,
});

export type NativeOpcode = keyof typeof nativeOpcodes;

/** Fields by their number in a program. */
export const nativeFields = Object.freeze(['key', 'version', 'time', 'eventTime', 'size'] as const);

export type NativeField = (typeof nativeFields)[number];

/** What a program can look at. */
export interface NativeRecord {
  readonly key: string;
  readonly version: number;
  readonly time: number;
  readonly eventTime: number | null;
  readonly size: number;
}

export type NativeType = 'number' | 'text' | 'boolean';

export type NativeInstruction =
  | { readonly op: 'pushField'; readonly field: NativeField }
  | { readonly op: 'pushNumber'; readonly value: number }
  | { readonly op: 'pushText'; readonly value: string }
  | { readonly op: Exclude<NativeOpcode, 'pushField' | 'pushNumber' | 'pushText'> };

const opcodeNames = new Map<number, NativeOpcode>(
  (Object.entries(nativeOpcodes) as [NativeOpcode, number][]).map(([name, code]) => [code, name]),
);
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const mend = 'Send a program made by compileNative';

export function encodeNative(instructions: readonly NativeInstruction[]): Uint8Array {
  return Uint8Array.from(instructions.flatMap((instruction) => [...encodeOne(instruction)]));
}

/** The bytes of one instruction. */
export function encodeOne(instruction: NativeInstruction): Uint8Array {
  const code = nativeOpcodes[instruction.op];
  switch (instruction.op) {
    case 'pushField':
      return Uint8Array.of(code, nativeFields.indexOf(instruction.field));
    case 'pushNumber': {
      const bytes = new Uint8Array(9);
      bytes[0] = code;
      new DataView(bytes.buffer).setFloat64(1, instruction.value, true);
      return bytes;
    }
    case 'pushText': {
      const text = new TextEncoder().encode(instruction.value);
      const bytes = new Uint8Array(3 + text.length);
      bytes[0] = code;
      new DataView(bytes.buffer).setUint16(1, text.length, true);
      bytes.set(text, 3);
      return bytes;
    }
    default:
      return Uint8Array.of(code);
  }
}

/** The instructions of a program that passes verification; throws INVALID_QUERY with the offset. */
export function verifyNative(program: Uint8Array): readonly NativeInstruction[] {
  if (program.length === 0 || program.length > nativeLimits.programBytes) {
    const max = String(nativeLimits.programBytes);
    throw invalid(`has ${String(program.length)} bytes, 1 to ${max} are allowed`, 0);
  }
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const instructions: NativeInstruction[] = [];
  const stack: NativeType[] = [];
  for (let offset = 0; offset < program.length;) {
    const { instruction, bytes } = decodeOne(view, offset);
    const type = typeAfter(instruction, stack);
    if (type === null) {
      throw invalid(`gives ${instruction.op} operands that do not fit`, offset);
    }
    stack.push(type);
    if (stack.length > nativeLimits.stackDepth) {
      throw invalid(`needs a stack deeper than ${String(nativeLimits.stackDepth)}`, offset);
    }
    instructions.push(instruction);
    offset += bytes;
  }
  if (stack.length !== 1 || stack[0] !== 'boolean') {
    throw invalid('does not leave exactly one boolean', program.length);
  }
  return instructions;
}

function decodeOne(
  view: DataView,
  offset: number,
): { instruction: NativeInstruction; bytes: number } {
  const left = view.byteLength - offset;
  const op = opcodeNames.get(view.getUint8(offset));
  if (op === undefined) {
    throw invalid(`holds the unknown opcode ${String(view.getUint8(offset))}`, offset);
  }
  const whole = (bytes: number): number => {
    if (left < bytes) {
      throw invalid('ends within an instruction', offset);
    }
    return bytes;
  };
  switch (op) {
    case 'pushField': {
      const bytes = whole(2);
      const field = nativeFields[view.getUint8(offset + 1)];
      if (field === undefined) {
        throw invalid(`names the unknown field ${String(view.getUint8(offset + 1))}`, offset);
      }
      return { instruction: { op, field }, bytes };
    }
    case 'pushNumber': {
      const bytes = whole(9);
      return { instruction: { op, value: view.getFloat64(offset + 1, true) }, bytes };
    }
    case 'pushText': {
      const bytes = whole(3 + (left < 3 ? 0 : view.getUint16(offset + 1, true)));
      const text = new Uint8Array(view.buffer, view.byteOffset + offset + 3, bytes - 3);
      return { instruction: { op, value: decodeText(text, offset) }, bytes };
    }
    default:
      return { instruction: { op }, bytes: 1 };
  }
}

function decodeText(bytes: Uint8Array, offset: number): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw invalid('holds a text that is not UTF-8', offset);
  }
}

/** Takes the operands off the stack of types; gives the result's, or null where they do not fit. */
function typeAfter(instruction: NativeInstruction, stack: NativeType[]): NativeType | null {
  switch (instruction.op) {
    case 'pushField':
      return instruction.field === 'key' ? 'text' : 'number';
    case 'pushNumber':
      return 'number';
    case 'pushText':
      return 'text';
    case 'not':
      return stack.pop() === 'boolean' ? 'boolean' : null;
    default: {
      const right = stack.pop();
      const left = stack.pop();
      return left === right && left !== undefined && takes(instruction.op, left) ? 'boolean' : null;
    }
  }
}

function takes(op: NativeOpcode, type: NativeType): boolean {
  if (op === 'and' || op === 'or') {
    return type === 'boolean';
  }
  const isOfText = op === 'startsWith' || op === 'endsWith' || op === 'contains';
  return type === 'text' || (type === 'number' && !isOfText);
}

/**
 * The reference interpreter: verifies once, then says for each record whether it passes. The
 * native filter must agree with it on every program and record.
 */
export function nativeFilter(program: Uint8Array): (record: NativeRecord) => boolean {
  const instructions = verifyNative(program);
  return (record) => {
    const stack: (string | number | boolean)[] = [];
    for (const instruction of instructions) {
      runOne(instruction, stack, record);
    }
    return stack[0] === true;
  };
}

function runOne(
  instruction: NativeInstruction,
  stack: (string | number | boolean)[],
  record: NativeRecord,
): void {
  switch (instruction.op) {
    case 'pushField':
      stack.push(record[instruction.field] ?? NaN);
      return;
    case 'pushNumber':
    case 'pushText':
      stack.push(instruction.value);
      return;
    case 'not':
      stack.push(stack.pop() !== true);
      return;
    default: {
      const right = stack.pop();
      const left = stack.pop();
      stack.push(relate(instruction.op, left, right));
    }
  }
}

function relate(op: NativeOpcode, left: unknown, right: unknown): boolean {
  if (typeof left === 'string' && typeof right === 'string') {
    switch (op) {
      case 'startsWith':
        return left.startsWith(right);
      case 'endsWith':
        return left.endsWith(right);
      case 'contains':
        return left.includes(right);
      default:
        return compare(op, compareText(left, right), 0);
    }
  }
  if (typeof left === 'number' && typeof right === 'number') {
    return compare(op, left, right);
  }
  return op === 'and' ? left === true && right === true : left === true || right === true;
}

function compare(op: NativeOpcode, left: number, right: number): boolean {
  switch (op) {
    case 'eq':
      return left === right;
    case 'ne':
      return left !== right;
    case 'lt':
      return left < right;
    case 'le':
      return left <= right;
    case 'gt':
      return left > right;
    default:
      return left >= right;
  }
}

function invalid(what: string, offset: number): Error {
  return refusal(`The native program ${what} (at byte ${String(offset)})`, mend);
}
