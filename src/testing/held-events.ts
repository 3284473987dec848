import type { Socket } from "socket.io-client";

/** The method by which all versions of the stock client pass an event to their listeners. */
interface Receiver {
  onevent(packet: unknown): void;
}

const LISTENING = ["on", "once", "addEventListener", "onAny"] as const;

/**
 * Keeps the events that a client receives until the test listens. Code that awaits a connected client can listen only
 * afterwards, when the events that the server sends at once have already arrived.
 */
export function holdEvents(socket: Socket): void {
  const receiver = socket as unknown as Receiver & Record<string, unknown>;
  const held: unknown[] = [];
  const release = () => {
    delete (receiver as Partial<Receiver>).onevent;
    for (const packet of held.splice(0)) receiver.onevent(packet);
  };
  receiver.onevent = (packet) => void held.push(packet);
  for (const name of LISTENING) {
    const listen = receiver[name] as (...args: unknown[]) => unknown;
    receiver[name] = (...args: unknown[]) => {
      for (const own of LISTENING) delete receiver[own];
      setTimeout(release); // after all listeners that are added in this turn
      return listen.apply(socket, args);
    };
  }
}
