import { io, type Socket } from "socket.io-client";
import type { Running } from "./app.ts";
import { Inbox, within } from "./within.ts";

/** One thing that the application observed, as `test/fixtures/apps/trace.ts` reports it. */
export interface Entry {
  what: string;
  sid?: string;
  id?: string;
  reason?: string;
  [key: string]: unknown;
}

/**
 * Observes from outside what the application observes inside, and tells it what to do: a stock client in the namespace
 * /trace, which every application of the wire tests opens.
 */
export class Monitor {
  readonly entries = new Inbox<Entry>();
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("trace", (entry: Entry) => this.entries.push(entry));
  }

  /** `key`: which of several objects it is on. With `reconnection` it survives a restart of that object. */
  static async connect(server: Running, { reconnection = false, key = "" } = {}): Promise<Monitor> {
    const socket = io(`${server.url}/trace`, {
      transports: ["websocket"],
      forceNew: true,
      reconnection,
      reconnectionDelay: 10,
      query: key === "" ? {} : { key },
    });
    const monitor = new Monitor(socket);
    await within(
      new Promise((resolve, reject) => {
        socket.on("connect", () => resolve(undefined));
        socket.on("connect_error", reject);
      }),
      "monitor",
    );
    return monitor;
  }

  /** The next entry of this kind about a session (its sid) or a socket (its id). */
  next(what: string, about?: string, ms = 5_000): Promise<Entry> {
    const wanted = (entry: Entry) =>
      entry.what === what && (about === undefined || entry.sid === about || entry.id === about);
    return this.entries.next(`trace "${what}"`, wanted, ms);
  }

  /** Runs a command of the application, and returns its answer. */
  ask(command: string, ...args: unknown[]): Promise<unknown> {
    return this.socket.timeout(5_000).emitWithAck(command, ...args);
  }

  /** Resolves once a poll of this session waits: the server could write to it at once. */
  async parked(session: { id: string }): Promise<void> {
    const until = Date.now() + 5_000;
    while (!(await this.ask("writable", session.id))) {
      if (Date.now() > until) throw new Error("no poll of the session waits within 5 s");
    }
  }

  close(): void {
    this.socket.disconnect();
  }
}
