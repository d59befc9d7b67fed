/** Members of a cluster with a channel, for test/integration/channel.test.ts. */
import {
  type Channel,
  type ChannelEvent,
  type ProgramMember,
  runLocalProgram,
} from '../../platform/member/mod.ts';

type Order = 'mcast' | 'fbcast' | 'cbcast' | 'abcast';

const events: ChannelEvent<string>[] = [];
let radio: Channel<string> | null = null;
/** What this member answers, by cbcast, to what begins with it. */
const questions = 'question';

function open(): Channel<string> {
  if (radio === null) throw new Error('The channel is not open');
  return radio;
}

export const calls = {
  open: async (member: ProgramMember) => {
    radio = await member.channel<string>({
      name: '/tower/radio',
      timeoutMs: 60_000,
      onEvent: (event) => {
        events.push(event);
        if (
          event.type === 'message' &&
          event.message.startsWith(questions) &&
          member.nodeId === 2
        ) {
          void open().cbcast(event.message.replace(questions, 'answer'));
        }
      },
    });
  },
  send: async (
    _member: ProgramMember,
    { order, prefix, count }: { order: Order; prefix: string; count: number },
  ) => {
    for (let nth = 0; nth < count; nth++) await open()[order](`${prefix}${String(nth)}`);
  },
  flush: async () => open().flush(),
  /** Sends without an end: this process is to be killed meanwhile. */
  sendOn: (_member: ProgramMember, { order, prefix }: { order: Order; prefix: string }) => {
    const on = async (): Promise<void> => {
      for (let nth = 0; ; nth++) {
        await open()[order](`${prefix}${String(nth)}`);
        if (nth % 50 === 49) await open().flush();
      }
    };
    void on();
    return Promise.resolve();
  },
  events: () => Promise.resolve(events),
  members: () => Promise.resolve(open().members),
};

await runLocalProgram(import.meta.url, {
  start: (member: ProgramMember) => Promise.resolve(member),
  calls,
  main: () => Promise.resolve(null),
});
