import { io, type Socket } from "socket.io-client";
import type { Running } from "../support/app.ts";
import { type ClientOptions, connected, upgraded } from "../support/clients.ts";
import { type Gate, startGate } from "../support/gate.ts";
import { keysOf } from "../support/shard-keys.ts";
import { within } from "../support/within.ts";

/**
 * "mixed": ann upgrades in the middle, bob polls, cat and dan use WebSocket. "upgrading": all upgrade when they
 * connect. With the others, all use that transport.
 */
export type CastMode = "mixed" | "polling" | "websocket" | "upgrading";

/** Clients with a WebSocket lose it when their object restarts, so they need recovery. */
export function hasRecovery(mode: CastMode): boolean {
  return mode === "websocket" || mode === "upgrading";
}

/** Over several objects, each of the first three is on another one, also after a reconnection. */
const SHARDS: Readonly<Record<string, number>> = { ann: 0, bob: 1, cat: 2, dan: 2 };

/** What each client observed, in order. The order between clients means nothing. */
export type Trace = Record<string, unknown[][]>;

/** The stock clients of a conversation, and what they observed. A client is called `name` or `name/namespace`. */
export class Cast {
  readonly mode: CastMode;
  readonly trace: Trace = {};
  readonly #server: Running;
  readonly #gate: Gate;
  readonly #hasOffsets: boolean;
  readonly #sockets = new Map<string, Socket>();
  readonly #labels = new Map<string, string>();
  readonly #keys = keysOf(3);

  private constructor(server: Running, gate: Gate, mode: CastMode) {
    this.#server = server;
    this.#gate = gate;
    this.mode = mode;
    this.#hasOffsets = hasRecovery(mode);
  }

  static async assemble(server: Running, mode: CastMode): Promise<Cast> {
    const gate = await startGate(server);
    if (mode !== "mixed") gate.open();
    return new Cast(server, gate, mode);
  }

  on = (who: string): Socket => {
    const socket = this.#sockets.get(who);
    if (!socket) throw new Error(`nobody is called ${who}`);
    return socket;
  };

  note(who: string, ...line: unknown[]): void {
    const lines = this.trace[who] ?? [];
    lines.push(line.map((value) => this.#plain(value)));
    this.trace[who] = lines;
  }

  /** Connects a client, for the first time or again, and waits until it is connected. */
  async connect(who: string, auth: object = {}): Promise<void> {
    const known = this.#sockets.get(who);
    const socket = known ?? this.#create(who, auth);
    if (known) socket.connect();
    await connected(socket);
    if (this.mode === "upgrading") await upgraded(socket);
  }

  /** Connects a client that must be refused. */
  async refused(who: string, nsp: string, auth: object): Promise<void> {
    const socket = io(`${this.#server.url}${nsp}`, { ...this.#options("bob"), auth, reconnection: false });
    const refused = new Promise<Error & { data?: unknown }>((resolve) =>
      socket.once("connect_error", resolve),
    );
    const { message, data } = await within(refused, `refusal of ${who}`);
    this.note(who, "refused", message, data ?? null);
    socket.disconnect();
  }

  /** Leaves one namespace, and waits until the other clients know. */
  async disconnect(who: string): Promise<void> {
    const [name] = who.split("/") as [string];
    const socket = this.on(who);
    const heard = this.#othersHearOf(name, (it) => it === socket);
    socket.disconnect();
    await heard;
  }

  /** Closes the whole connection of a client with all its namespaces, and waits until the other clients know. */
  async leave(name: string): Promise<void> {
    const { io: manager } = this.on(name);
    const { engine } = manager;
    // A pong may be under way. A client that closes meanwhile waits for it, and later steps would overtake it.
    if (engine.writeBuffer.length > 0) {
      await within(new Promise<void>((resolve) => engine.once("drain", resolve)), `drain of ${name}`);
    }
    const heard = this.#othersHearOf(name, () => true);
    engine.close();
    manager.reconnection(false);
    for (const socket of this.#sockets.values()) if (socket.io === manager) socket.disconnect();
    await heard;
  }

  /** The application tells all clients in the namespaces of the leaving sockets. */
  async #othersHearOf(name: string, isLeaving: (socket: Socket) => boolean): Promise<void> {
    const listeners = this.#connected().filter(([who]) => {
      const [other, nsp] = who.split("/");
      const leaving = this.#sockets.get(nsp === undefined ? name : `${name}/${nsp}`);
      return other !== name && leaving?.connected && isLeaving(leaving);
    });
    const heard = listeners.map(([who, socket]) =>
      within(hearsOf(socket, name), `${name} leaving at ${who}`, 15_000),
    );
    await Promise.all(heard);
  }

  openGate(): void {
    this.#gate.open();
  }

  /**
   * Waits twice until everything that was caused has arrived everywhere: once until it is done, once until it is
   * delivered. Returns the name of the instance in which each client is, unless it has left.
   */
  async settle(): Promise<Map<string, string>> {
    const instances = new Map<string, string>();
    for (let round = 0; round < 2; round++) {
      const answers = this.#connected().map(async ([who, socket]) => {
        const answered = new Promise<string>((resolve) => {
          socket.emit("sync", resolve);
          socket.once("disconnect", () => resolve("")); // this step may have ended the client
        });
        const instance = await within(answered, `answer to sync for ${who}`, 15_000);
        if (instance !== "") instances.set(who, instance);
      });
      await Promise.all(answers);
    }
    return instances;
  }

  /** Whether a client is on this one of several objects. */
  isOn(shard: number, who: string): boolean {
    return SHARDS[who.split("/")[0]!] === shard;
  }

  /** Whether a restart of this one of several objects would disconnect somebody. */
  hasWebSockets(shard: number): boolean {
    return this.#withWebSockets(shard).length > 0;
  }

  #withWebSockets(shard?: number): [string, Socket][] {
    return this.#connected().filter(
      ([who, socket]) =>
        transportName(socket) === "websocket" && (shard === undefined || this.isOn(shard, who)),
    );
  }

  /**
   * Waits until every client that a restart has disconnected is connected again, in all its namespaces. It may be a
   * restart of one of several objects.
   */
  async reunite(cut: () => Promise<void>, shard?: number): Promise<void> {
    const affected = this.#withWebSockets(shard);
    const lost = affected.map(([who, socket]) =>
      within(new Promise((resolve) => socket.once("disconnect", resolve)), `loss of ${who}`, 10_000),
    );
    await cut();
    await Promise.all(lost);
    for (const [, socket] of affected) await connected(socket, 15_000);
    for (const [, socket] of affected) await upgraded(socket);
    const fresh = affected.filter(([, socket]) => !socket.recovered).map(([who]) => who);
    if (fresh.length > 0) throw new Error(`not recovered: ${fresh}`);
  }

  async dismiss(): Promise<void> {
    for (const socket of this.#sockets.values()) {
      socket.io.reconnection(false);
      socket.disconnect();
    }
    await this.#gate.close();
  }

  #connected(): [string, Socket][] {
    return [...this.#sockets].filter(([, socket]) => socket.connected);
  }

  #options(name: string): ClientOptions {
    const transport = { ann: "polling", bob: "polling" }[name] ?? "websocket";
    const transports = { mixed: [transport], upgrading: ["polling"] }[this.mode as string] ?? [this.mode];
    if (this.mode === "upgrading" || (this.mode === "mixed" && name === "ann")) transports.push("websocket");
    return {
      transports,
      forceNew: true,
      reconnectionDelay: 10,
      reconnectionDelayMax: 100,
      randomizationFactor: 0,
    };
  }

  #create(who: string, auth: object): Socket {
    const [name, nsp] = who.split("/") as [string, string | undefined];
    const url = name === "ann" ? this.#gate.url : this.#server.url;
    const query = { from: `${name}'s phone`, key: this.#keys[SHARDS[name] ?? 0] };
    const all = { name, ...auth };
    const socket = nsp
      ? this.on(name).io.socket(`/${nsp}`, { auth: all })
      : io(url, { ...this.#options(name), query, auth: all });
    this.#sockets.set(who, socket);
    this.#watch(who, socket);
    return socket;
  }

  #watch(who: string, socket: Socket): void {
    let connections = 0;
    socket.on("connect", () => {
      if (socket.recovered) return;
      this.#labels.set(socket.id!, `${who}#${++connections}`);
      this.note(who, "connect");
    });
    socket.on("disconnect", (reason) => {
      if (socket.active && this.#hasOffsets) return; // this is a restart, after which the client reconnects by itself
      this.note(who, "disconnect", reason);
    });
    socket.onAny((event: string, ...args: unknown[]) => {
      const answer = args.at(-1);
      if (typeof answer === "function") {
        this.note(who, "question", event, ...args.slice(0, -1));
        answer(`${who} heard ${args[0]}`, 42);
        return;
      }
      // With recovery each event carries its offset as an additional argument.
      this.note(who, "event", event, ...(this.#hasOffsets ? args.slice(0, -1) : args));
    });
  }

  /** A value in a form that JSON has: bytes as numbers, and socket ids replaced by the names of their clients. */
  #plain(value: unknown): unknown {
    if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
    if (typeof value === "string") return this.#labels.get(value) ?? value;
    if (Array.isArray(value)) return value.map((item) => this.#plain(item));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#plain(item)]));
    }
    return value;
  }
}

function hearsOf(socket: Socket, name: string): Promise<void> {
  return new Promise((resolve) => {
    const listen = (who: string) => {
      if (who !== name) return;
      socket.off("left", listen);
      resolve();
    };
    socket.on("left", listen);
  });
}

function transportName(socket: Socket): string {
  return socket.io.engine.transport.name;
}
