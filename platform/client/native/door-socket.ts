/** The connection under one with the native threads of a member. */
import { connect, Socket } from 'node:net';
import type { NativeAddress } from '../../base/mod.ts';

/** The addon's `dial`. */
export type Dial = (host: string, port: number) => number;

/** Of what is read; `buffer` is read into again afterwards. False stops reading. */
export type OnRead = (size: number, buffer: Uint8Array) => boolean;

const readBytes = 256 * 1024;
const writeBytes = 1024 * 1024;
const keepAliveMs = 10_000;

/**
 * May be written at once: what it cannot send yet waits. A way that fails is an error of the
 * socket. A host by name is looked up by Node, and connected as Node does.
 */
export function openSocket(dial: Dial, { host, port }: NativeAddress, onRead: OnRead): Socket {
  const settings = {
    highWaterMark: writeBytes,
    onread: { buffer: Buffer.alloc(readBytes), callback: onRead },
  };
  const fd = dial(host, port);
  const socket =
    fd < 0
      ? connect({ ...settings, host, port })
      : new Socket({ ...settings, fd, readable: true, writable: true });
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
}
