import type { Socket } from "socket.io-client";
import type { ClientOptions, Clients } from "../clients.ts";

/** One event that a client observed, for example `["event", "message", "hello"]`. */
export type Line = readonly unknown[];

/** What each client observed, in order. The order between clients means nothing. */
export type Trace = Readonly<Record<string, readonly Line[]>>;

/** The first argument of a step: stock clients, by names that the steps choose. */
export interface Stage {
  /** Connects a client with this name, or connects it again. */
  connect(name: string, options?: ClientOptions): Promise<Socket>;
  /** Connects a client that must be refused, and records the error of the server. */
  refused(name: string, options?: ClientOptions): Promise<void>;
  /** The client of this name. @throws Error where no step has connected one */
  client(name: string): Socket;
}

/** A replacer as for `JSON.stringify`, which replaces values that differ from one run to the next, such as a time. */
export type Replacer = (key: string, value: unknown) => unknown;

/** The entry for a client that returns from a restart with a new session. */
export const RECONNECTED = "connected anew";

/** The name under which a trace contains what a step returned. */
const ANSWER = "(what the step returned)";

/** The clients of one run of the steps, and what they observed. */
export class Cast implements Stage {
  readonly #clients: Clients;
  readonly #defaults: ClientOptions;
  readonly #replace: Replacer;
  readonly #sockets = new Map<string, Socket>();
  readonly #labels = new Map<string, string>();
  readonly #connections = new Map<string, number>();
  #trace: Record<string, Line[]> = {};
  #isCut = false;

  constructor(clients: Clients, defaults: ClientOptions, replace: Replacer) {
    this.#clients = clients;
    this.#defaults = defaults;
    this.#replace = replace;
  }

  connect = async (name: string, options: ClientOptions = {}): Promise<Socket> => {
    const known = this.#sockets.get(name);
    if (known !== undefined) {
      await this.#clients.connected(known);
      return known;
    }
    const socket = await this.#clients.create({ ...this.#defaults, ...options });
    this.#sockets.set(name, socket);
    this.#watch(name, socket);
    await this.#clients.connected(socket);
    return socket;
  };

  refused = async (name: string, options: ClientOptions = {}): Promise<void> => {
    const quiet = { ...this.#defaults, ...options, reconnection: false };
    const socket = await this.#clients.create(quiet);
    const { message, data } = await this.#clients.connected(socket).then(
      () => ({ message: "let in", data: undefined }),
      (error: Error & { data?: unknown }) => error,
    );
    this.#note(name, ["refused", message, data ?? null]);
    socket.disconnect();
  };

  client = (name: string): Socket => {
    const socket = this.#sockets.get(name);
    if (socket === undefined) throw new Error(`no client is called "${name}": connect("${name}") first`);
    return socket;
  };

  /** Returns what was observed by client since the last call. */
  takeTrace(): Trace {
    const trace = this.#trace;
    this.#trace = {};
    return trace;
  }

  /** How many events were observed since the trace was last taken. */
  countOf(name: string): number {
    return this.#trace[name]?.length ?? 0;
  }

  get count(): number {
    return Object.values(this.#trace).reduce((sum, lines) => sum + lines.length, 0);
  }

  /** Records what a step returned, which is an answer unless it is a client. */
  noteResult(result: unknown): void {
    const isClient = [...this.#sockets.values()].some((socket) => socket === result);
    if (result !== undefined && !isClient) this.#note(ANSWER, [result]);
  }

  settle(): Promise<void> {
    return this.#clients.settle();
  }

  /** Runs an action that closes connections. Clients that reconnect and are recovered have observed nothing. */
  async cut(interrupt: () => Promise<void>): Promise<void> {
    this.#isCut = true;
    await interrupt();
    this.#isCut = false;
  }

  close(): void {
    this.#clients.close();
  }

  #note(name: string, line: Line): void {
    const lines = this.#trace[name] ?? [];
    lines.push(line.map((value) => this.#plain("", value)));
    this.#trace[name] = lines;
  }

  #watch(name: string, socket: Socket): void {
    socket.on("connect", () => {
      if (socket.recovered) return;
      const connection = (this.#connections.get(name) ?? 0) + 1;
      this.#connections.set(name, connection);
      this.#labels.set(socket.id as string, `${name}#${connection}`);
      this.#note(name, [this.#isCut ? RECONNECTED : "connected"]);
    });
    socket.on("disconnect", (reason) => {
      if (!this.#isCut) this.#note(name, ["disconnected", reason]);
    });
    socket.onAny((event: string, ...args: unknown[]) => {
      if (typeof args.at(-1) === "function") {
        this.#note(name, ["question", event, ...args.slice(0, -1)]);
      } else this.#note(name, ["event", event, ...withoutOffset(socket, args)]);
    });
  }

  /**
   * A value in a form that JSON can show: bytes as numbers, and ids of sockets replaced by the names of their clients.
   */
  #plain(key: string, given: unknown): unknown {
    const value = this.#replace(key, given);
    if (value instanceof ArrayBuffer) return `bytes ${Buffer.from(value).toString("hex")}`;
    if (ArrayBuffer.isView(value)) {
      return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`;
    }
    if (typeof value === "string") return this.#labelled(value);
    if (Array.isArray(value)) return value.map((item, i) => this.#plain(String(i), item));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, item]) => [
      this.#labelled(name),
      this.#plain(name, item),
    ]);
    return Object.fromEntries(entries);
  }

  #labelled(text: string): string {
    let labelled = text;
    for (const [id, label] of this.#labels) labelled = labelled.replaceAll(id, label);
    return labelled;
  }
}

/** With connection state recovery an event carries its offset as an additional argument. */
function withoutOffset(socket: Socket, args: unknown[]): unknown[] {
  const { _pid: privateId } = socket as unknown as { _pid?: string };
  return privateId !== undefined && typeof args.at(-1) === "string" ? args.slice(0, -1) : args;
}
