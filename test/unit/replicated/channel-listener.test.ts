import { expect, test } from 'vitest';
import type { ChannelEvent } from '../../../platform/replicated/channel.ts';
import { ChannelListener } from '../../../platform/replicated/channel-listener.ts';

const view = (number: number): ChannelEvent<string> => ({
  type: 'view',
  number,
  members: [1, 2, 3],
  joined: [3],
  left: [4],
  rank: 0,
  leader: 1,
  continuous: true,
});
const message = (text: string, order: 'fbcast' | 'abcast' = 'fbcast'): ChannelEvent<string> => ({
  type: 'message',
  order,
  from: 2,
  message: text,
  version: order === 'abcast' ? 1 : null,
});
const asFirst = (number: number) => ({
  ...view(number),
  joined: [1, 2, 3],
  left: [],
  continuous: false,
});

function listen() {
  const heard: ChannelEvent<string>[] = [];
  const thrown: unknown[] = [];
  const listener = new ChannelListener<string>((caught) => thrown.push(caught));
  const begin = (isLate: boolean) => {
    listener.begin((event) => heard.push(event), isLate);
  };
  return { listener, heard, begin, thrown };
}

test('who opens a channel at its beginning hears everything as it is', () => {
  const { listener, heard, begin } = listen();
  begin(false);
  const events = [message('early', 'abcast'), view(1), message('a'), view(2)];
  for (const event of events) listener.onEvent(event);
  expect(heard).toEqual(events);
});

test('who opens it later begins with the view that there is', () => {
  const { listener, heard, begin } = listen();
  for (const event of [view(1), message('missed')]) listener.onEvent(event);
  begin(true);
  expect(heard).toEqual([asFirst(1)]);
  listener.onEvent(message('a'));
  listener.onEvent(view(2));
  expect(heard.slice(1)).toEqual([message('a'), view(2)]);
});

test('who opens it before a view is there hears nothing of an earlier one', () => {
  const { listener, heard, begin } = listen();
  begin(true);
  listener.onEvent(message('of the view before'));
  listener.onEvent(message('ordered', 'abcast'));
  listener.onEvent(view(5));
  expect(heard).toEqual([message('ordered', 'abcast'), asFirst(5)]);
});

test('what the program throws ends neither the event nor what comes behind it', () => {
  const { listener, thrown } = listen();
  listener.onEvent(view(1));
  const heard: ChannelEvent<string>[] = [];
  const failure = new Error('not today');
  listener.begin((event) => {
    heard.push(event);
    throw failure;
  }, true);
  listener.onEvent(message('a'));
  listener.onEvent(view(2));
  expect(heard).toEqual([asFirst(1), message('a'), view(2)]);
  expect(thrown).toEqual([failure, failure, failure]);
});
