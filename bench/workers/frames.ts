/*
 * What a server says that knows no protocol, so that the clients of the benchmarks take it for a Socket.IO server: the
 * bare object and the peers answer the same.
 */

export const OPENING =
  '0{"sid":"bare","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
export const JOINED = '40{"sid":"bare"}';

/** Whether all sockets get the message in place of its sender. */
export function isForAll(message: string): boolean {
  return message.startsWith('42["all"');
}

/** What the sender of a message gets: the message, unless it is one of the protocol. */
export function toReply(message: string): string {
  if (message === "40") return JOINED;
  return message === '420["join"]' ? "430[]" : message;
}
