import type { Socket } from "socket.io-client";

/** The method of a stock client, in all its versions, by which an event reaches its listeners. */
interface Receiver {
  onevent(packet: unknown): void;
}

const LISTENING = ["on", "once", "addEventListener", "onAny"] as const;

/**
 * Keeps what a client is sent until somebody listens to it. Whoever awaits a client that has connected can listen only
 * afterwards, when what the server sends at once has come already.
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
      setTimeout(release); // after all that begin to listen in this turn
      return listen.apply(socket, args);
    };
  }
}
