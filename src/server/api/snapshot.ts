import { toPlain } from "../state/plain-copy.ts";

/**
 * A plain copy of a value that `socket.data`, `socket.handshake`, `socket.request` or a property of a socket gave out,
 * as of now. What is given out there are proxies, which no platform can clone: call this before `structuredClone`,
 * a queue's `send` or a method of another object gets one. What structured clone cannot hold (functions, instances of
 * classes) is left out.
 * @example
 * await env.QUEUE.send(snapshot(socket.data.user));
 */
export function snapshot<T>(value: T): T {
  return toPlain(value) as T;
}
