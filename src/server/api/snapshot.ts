import { toPlain } from "../state/plain-copy.ts";

/**
 * Copies a value that comes from `socket.data`, `socket.handshake`, `socket.request` or a property of a socket, as it
 * is now. Those are proxies, and structured clone fails on a proxy: pass the copy to `structuredClone`, to a queue, or
 * to a method of another object. What structured clone cannot hold (functions, instances of classes) is left out.
 * @returns the same value where it is neither a proxy nor an object
 * @example
 * await env.QUEUE.send(snapshot(socket.data.user));
 */
export function snapshot<T>(value: T): T {
  return toPlain(value) as T;
}
