/*
 * The frames of a server without a protocol, written so that the clients of the benchmarks accept it as a Socket.IO
 * server. The bare object and the peers send the same.
 */

export const OPENING =
  '0{"sid":"bare","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
export const JOINED = '40{"sid":"bare"}';

/** Whether all sockets get the message, and not only its sender. */
export function isForAll(message: string): boolean {
  return message.startsWith('42["all"');
}

/** What the sender of a message receives: the message, unless it belongs to the protocol. */
export function toReply(message: string): string {
  if (message === "40") return JOINED;
  return message === '420["join"]' ? "430[]" : message;
}
