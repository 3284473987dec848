import { encodePacket, PacketDecoder, type SocketPacket } from "../codec/index.ts";
import { Emitter } from "./emitter.ts";
import { Engine } from "./engine.ts";
import { Socket } from "./socket.ts";
import type {
  DefaultEventsMap,
  DisconnectDescription,
  DisconnectReason,
  ManagerOptions,
  ManagerReservedEvents,
  SocketOptions,
} from "./types.ts";
import { toUrl } from "./url.ts";

const DEFAULTS = {
  reconnection: true,
  reconnectionAttempts: Infinity,
  reconnectionDelay: 1000,
  reconnectionDelayMax: 5000,
  randomizationFactor: 0.5,
  timeout: 20000 as number | false,
};

type Settings = typeof DEFAULTS;

/** Reads a setting, or changes it and returns the Manager. */
interface Accessor<Value, Self> {
  (): Value;
  (value: Value): Self;
}

/** One connection to a server, shared by the namespaces on it; connects again when it is lost. */
export class Manager<Listen = DefaultEventsMap, Emit = Listen> extends Emitter<
  Listen,
  Emit,
  ManagerReservedEvents
> {
  engine: Engine | undefined;
  readonly opts: ManagerOptions & Settings;
  readonly nsps: Record<string, Socket> = {};
  readonly active_ = new Set<Socket>();
  _reconnecting = false;
  declare reconnection: Accessor<boolean, this>;
  declare reconnectionAttempts: Accessor<number, this>;
  declare reconnectionDelay: Accessor<number, this>;
  declare reconnectionDelayMax: Accessor<number, this>;
  declare randomizationFactor: Accessor<number, this>;
  declare timeout: Accessor<number | false, this>;
  readonly #origin: string;
  #attempts = 0;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(uri?: string | URL | ManagerOptions, options?: ManagerOptions) {
    super();
    const isAddress = typeof uri === "string" || uri instanceof URL;
    const url = toUrl(isAddress ? uri : undefined);
    const opts = { query: Object.fromEntries(url.searchParams), ...(isAddress ? options : uri) };
    for (const key in DEFAULTS) {
      const name = key as "timeout";
      opts[name] ??= DEFAULTS[name];
      this[name] = ((...args: [number | false]) => {
        if (!args.length) return opts[name];
        opts[name] = args[0];
        return this;
      }) as Accessor<number | false, this>;
    }
    this.opts = opts as typeof this.opts;
    this.#origin = `${url.protocol}//${url.host}`;
    if (opts.autoConnect !== false) this.open();
  }

  get _readyState(): Engine["readyState"] {
    return this.engine?.readyState ?? "closed";
  }

  /** The socket of a namespace; the same one each time. */
  socket(nsp: string, options?: SocketOptions): Socket<Listen, Emit> {
    this.nsps[nsp] ??= new Socket(this as unknown as Manager, nsp, options);
    const socket = this.nsps[nsp];
    if (this.opts.autoConnect !== false && !socket.active) socket.connect();
    return socket as unknown as Socket<Listen, Emit>;
  }

  /** Connects, unless it is connected or about to be. With a callback, a failure is the caller's to handle. */
  open(callback?: (error?: Error) => void): this {
    if (this._readyState.startsWith("open")) return this;
    const engine = new Engine(this.#origin, this.opts);
    const decoder = new PacketDecoder();
    const { timeout } = this.opts;
    let failure: Error | undefined;
    let isOpen = false;
    this.engine = engine;
    this.#isStopped = false;
    this.#watch("add");
    clearTimeout(this.#timer);
    if (timeout !== false)
      this.#timer = setTimeout(() => engine.close_("transport error", new Error("timeout")), timeout);
    engine
      .on("open", () => {
        isOpen = true;
        clearTimeout(this.#timer);
        this.trigger_("open");
        for (const socket of this.active_) socket.onOpen_();
        callback?.();
        if (!this._reconnecting) return;
        this._reconnecting = false;
        this.trigger_("reconnect", this.#attempts);
        this.#attempts = 0;
      })
      .on("ping", () => this.trigger_("ping"))
      .on("data", (data) => {
        let packet: SocketPacket | undefined;
        try {
          packet = decoder.add(typeof data === "string" ? data : toHostBytes(data));
        } catch (error) {
          engine.close_("parse error", error as Error, true);
        }
        // A listener that throws must not look like a fault of the connection.
        if (packet) queueMicrotask(() => this.#onPacket(packet));
      })
      .on("error", (error) => {
        failure = error;
        this.trigger_("error", error);
        for (const socket of this.active_) socket.onError_(error);
      })
      .on("close", (reason, description) => {
        clearTimeout(this.#timer);
        if (isOpen) return this.#onClose(reason, description);
        if (this._reconnecting) {
          this._reconnecting = false;
          this.#reconnect();
          this.trigger_("reconnect_error", failure);
        } else if (callback) callback(failure);
        else this.#reconnect();
      });
    return this;
  }

  /** @see open */
  connect(callback?: (error?: Error) => void): this {
    return this.open(callback);
  }

  /** Sends a packet; returns what speaks against it. */
  send_(packet: SocketPacket): Error | undefined {
    const { engine } = this;
    const frames = encodePacket(packet);
    if (!engine) return undefined;
    if (frames.some((frame) => engine.isTooLarge_(frame))) return new Error("larger than maxPayload");
    for (const frame of frames) engine.send(frame);
    return undefined;
  }

  /** Closes the connection when no namespace needs it any more. */
  leave_(socket: Socket): void {
    if (this.active_.delete(socket) && !this.active_.size) this._close();
  }

  /** Closes the connection and does not come back. */
  _close(): void {
    clearTimeout(this.#timer);
    this.#isStopped = true;
    this._reconnecting = false;
    this.#watch("remove");
    this.engine?.off().close();
    this.#onClose("forced close");
  }

  #onPacket(packet: SocketPacket): void {
    this.trigger_("packet", packet);
    const socket = this.nsps[packet.nsp];
    if (socket?.active) socket.onPacket_(packet);
  }

  #onClose(reason: DisconnectReason, description?: DisconnectDescription): void {
    this.#attempts = 0;
    this.trigger_("close", reason, description);
    for (const socket of this.active_) socket.onClose_(reason, description);
    this.#reconnect();
  }

  #reconnect(): void {
    const { opts } = this;
    if (this._reconnecting || this.#isStopped || !opts.reconnection) return;
    if (this.#attempts >= (opts.reconnectionAttempts || Infinity)) {
      this.#attempts = 0;
      this.trigger_("reconnect_failed");
      return;
    }
    const delay = (opts.reconnectionDelay || 1000) * 2 ** this.#attempts++;
    const jitter = 1 + (Math.random() * 2 - 1) * opts.randomizationFactor;
    this._reconnecting = true;
    this.#timer = setTimeout(
      () => this.#attempt(),
      Math.min(delay * jitter, opts.reconnectionDelayMax || 5000),
    );
  }

  #attempt(): void {
    if (!this.opts.reconnection) this._reconnecting = false;
    else {
      this.trigger_("reconnect_attempt", this.#attempts);
      if (!this.#isStopped) this.open();
    }
  }

  /** Follows the page and its network: back at once instead of after a delay or a timeout. */
  #watch(action: "add" | "remove"): void {
    for (const event of ["online", "offline", "visibilitychange", "beforeunload"])
      globalThis[`${action}EventListener`]?.(event, this.#onPageEvent);
  }

  readonly #onPageEvent = ({ type }: Event): void => {
    const { engine } = this;
    if (type === "beforeunload") {
      if (this.opts.closeOnBeforeunload) engine?.off().close_("forced close", undefined, true);
    } else if (type === "offline") {
      if (!/\/localhost/.test(this.#origin))
        engine?.close_("transport close", { description: "network connection lost" });
    } else if (!globalThis.document?.hidden) {
      if (this._reconnecting && this._readyState === "closed") {
        clearTimeout(this.#timer);
        this.#attempt();
      } else engine?.probe_();
    }
  };
}

/** Bytes as the platform likes them: a Buffer where there is one, else an ArrayBuffer. */
function toHostBytes(bytes: Uint8Array<ArrayBuffer>): Uint8Array | ArrayBuffer {
  const { Buffer } = globalThis;
  if (Buffer) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.buffer;
}
