import type { ManagerOptions, Socket, SocketOptions } from "socket.io-client";
import { holdEvents } from "./held-events.ts";
import { loadPackage } from "./optional.ts";
import { within } from "./within.ts";

/** Options of the stock client, and the namespace to which it connects. */
export interface ClientOptions extends Partial<ManagerOptions & SocketOptions> {
  /** @default "/" */
  namespace?: string;
}

interface ClientPackage {
  io(url: string, options: Partial<ManagerOptions & SocketOptions>): Socket;
}

/** A namespace that no server has: its refusal proves that everything sent before has been handled. */
const NOWHERE = "/socket.io-edge/testing/nowhere";

/**
 * The reconnection delay in ms, since a restart takes a client only some milliseconds. For many clients of a real
 * server, seconds would be right.
 */
const QUICK = { forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 100, randomizationFactor: 0 };

/** The stock clients of a test. */
export class Clients {
  readonly #url: string;
  readonly #sockets = new Set<Socket>();

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Returns a client that is connected, unless `autoConnect` is false. It keeps the events that it receives until the
   * test listens.
   */
  async connect(options: ClientOptions): Promise<Socket> {
    const socket = await this.create(options);
    if (options.autoConnect === false) return socket;
    const connected = this.connected(socket);
    holdEvents(socket);
    await connected;
    return socket;
  }

  async create({ namespace = "/", ...options }: ClientOptions): Promise<Socket> {
    const { io } = await loadPackage<ClientPackage>("socket.io-client");
    const path = namespace.startsWith("/") ? namespace : `/${namespace}`;
    const socket = io(`${this.#url}${path}`, { ...QUICK, ...options });
    this.#sockets.add(socket);
    return socket;
  }

  /** Connects the client unless it is connected, and waits for that. @throws what the server refuses it with */
  async connected(socket: Socket): Promise<void> {
    if (socket.connected) return;
    const connected = new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", (error) => reject(withAnswer(error)));
    });
    if (!socket.active) socket.connect();
    try {
      await within(connected, "a client to connect");
    } catch (error) {
      socket.disconnect();
      throw error;
    }
  }

  /**
   * Waits until everything that the clients have sent has been handled and everything sent to them has arrived, and
   * until their upgrades have completed.
   */
  async settle(): Promise<void> {
    const managers = new Set([...this.#sockets].filter(({ connected }) => connected).map(({ io }) => io));
    await Promise.all([...managers].map(settleManager));
  }

  /** Runs an action that closes WebSockets, and waits until the clients that reconnect by themselves are connected. */
  async reunite(cut: () => Promise<void>): Promise<void> {
    const affected = [...this.#sockets].filter(
      ({ connected, io }) => connected && io.reconnection() && io.engine.transport.name === "websocket",
    );
    const back = affected.map(async (socket) => {
      await new Promise((resolve) => socket.once("disconnect", resolve));
      await new Promise<void>((resolve) => socket.once("connect", resolve));
    });
    await cut();
    await within(Promise.all(back), "the clients to come back after the restart");
  }

  close(): void {
    for (const socket of this.#sockets) {
      socket.io.reconnection(false);
      socket.disconnect();
    }
    this.#sockets.clear();
  }
}

/** The client's error for a refused handshake ("xhr poll error"), with the answer of the server. */
function withAnswer(error: Error): Error {
  const { description, context } = error as { description?: unknown; context?: { responseText?: string } };
  if (typeof description !== "number") return error;
  const answer = `${description} ${context?.responseText ?? ""}`.trim();
  return new Error(`${error.message}: the server answered ${answer}`, { cause: error });
}

async function settleManager(manager: Socket["io"]): Promise<void> {
  const { engine } = manager;
  // Protected in its types, but nothing else shows that an upgrade has begun.
  if ((engine as unknown as { upgrading: boolean }).upgrading) {
    const upgraded = new Promise<void>((resolve) => {
      engine.once("upgrade", () => resolve());
      engine.once("upgradeError", () => resolve());
      engine.once("close", () => resolve());
    });
    await within(upgraded, "an upgrade to WebSocket");
  }
  const probe = manager.socket(NOWHERE);
  const answered = new Promise<void>((resolve) => {
    probe.once("connect", resolve);
    probe.once("connect_error", () => resolve());
    engine.once("close", () => resolve());
  });
  await within(answered, "an answer from the server");
  probe.disconnect();
}
