import { Emitter } from "./emitter.ts";
import { Engine } from "./engine.ts";
import { Socket } from "./socket.ts";
import type {
  DefaultEventsMap,
  DisconnectReason,
  ManagerOptions,
  ManagerReservedEvents,
  SocketOptions,
} from "./types.ts";
import { parseTarget } from "./url.ts";

const DEFAULTS = {
  reconnection: true,
  reconnectionAttempts: Infinity,
  reconnectionDelay: 1000,
  reconnectionDelayMax: 5000,
  randomizationFactor: 0.5,
  timeout: 20000 as number | false,
};

type Settings = typeof DEFAULTS;

type OpenCallback = (error?: Error) => void;

/**
 * A connection to a server that its namespaces share. It reconnects when the connection is lost. `io()` creates
 * Managers for you.
 *
 *     closed --open()--> opening --> open --> lost --> waiting (delay doubles) --> opening ...
 *                                      `-- the last namespace leaves --> closed
 */
export class Manager<Listen = DefaultEventsMap, Emit = Listen> extends Emitter<
  Listen,
  Emit,
  ManagerReservedEvents
> {
  /** The options, with their defaults. */
  readonly opts: ManagerOptions & Settings;
  /** The connection; undefined before the first namespace connects and after the last one has left. */
  engine: Engine | undefined;
  /** The sockets of this Manager by namespace. */
  readonly nsps: Record<string, Socket<Listen, Emit>> = {};
  /** The sockets that are connected or wait for the connection. They receive the Manager's events. @internal */
  readonly _active = new Set<Socket<Listen, Emit>>();
  /** @internal */
  _isReconnecting = false;
  readonly #origin: string;
  #attempts = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options?: ManagerOptions);
  constructor(address?: string | ManagerOptions, options?: ManagerOptions);
  constructor(address?: string | ManagerOptions, options?: ManagerOptions) {
    super();
    const [{ origin }, opts] = parseTarget(address, options);
    this.#origin = origin.replace(/^ws/, "http");
    this.opts = { ...DEFAULTS, ...withoutUndefined(opts) };
    if (this.opts.autoConnect !== false) this.open();
  }

  /**
   * Connects, unless it is connected or connecting. `callback` is called without an argument once it is connected, or
   * with an error when the first attempt fails; with a callback the Manager does not try again by itself.
   */
  open(callback?: OpenCallback): this {
    if (this.engine?.readyState.startsWith("open")) return this;
    this.#follow("add");
    clearTimeout(this.#timer);
    const engine = new Engine(this.#origin, this.opts, (event, ...args) => {
      // Events of an engine that has been replaced are ignored.
      if (engine === this.engine) this.#onEngineEvent(engine, callback, event, args);
    });
    this.engine = engine;
    return this;
  }

  /** The same as {@link open}. */
  connect(callback?: OpenCallback): this {
    return this.open(callback);
  }

  /** Returns the socket of a namespace, and connects it unless `autoConnect` is false. */
  socket(nsp: string, options?: SocketOptions): Socket<Listen, Emit> {
    this.nsps[nsp] ??= new Socket<Listen, Emit>(this, nsp, options);
    const socket = this.nsps[nsp];
    if (this.opts.autoConnect !== false) socket.connect();
    return socket;
  }

  /** Reads or sets whether a lost connection is opened again. */
  reconnection(): boolean;
  reconnection(value: boolean): this;
  reconnection(value?: boolean): boolean | this {
    return this.#setting("reconnection", value);
  }

  /** Reads or sets how many times it tries to reconnect before it emits `reconnect_failed`. */
  reconnectionAttempts(): number;
  reconnectionAttempts(value: number): this;
  reconnectionAttempts(value?: number): number | this {
    return this.#setting("reconnectionAttempts", value);
  }

  /** Reads or sets the delay before the first attempt to reconnect, in milliseconds; it doubles with each attempt. */
  reconnectionDelay(): number;
  reconnectionDelay(value: number): this;
  reconnectionDelay(value?: number): number | this {
    return this.#setting("reconnectionDelay", value);
  }

  /** Reads or sets the longest delay between two attempts to reconnect, in milliseconds. */
  reconnectionDelayMax(): number;
  reconnectionDelayMax(value: number): this;
  reconnectionDelayMax(value?: number): number | this {
    return this.#setting("reconnectionDelayMax", value);
  }

  /** Reads or sets by how much a delay may differ at random from the computed one, 0 to 1. */
  randomizationFactor(): number;
  randomizationFactor(value: number): this;
  randomizationFactor(value?: number): number | this {
    return this.#setting("randomizationFactor", value);
  }

  /** Reads or sets how long connecting may take, in milliseconds; `false` waits without end. */
  timeout(): number | false;
  timeout(value: number | false): this;
  timeout(value?: number | false): number | false | this {
    return this.#setting("timeout", value);
  }

  /** Closes the connection when no namespace uses it any more. @internal */
  _leave(socket: Socket<Listen, Emit>): void {
    if (!this._active.delete(socket) || this._active.size > 0) return;
    const { engine } = this;
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.engine = undefined;
    this._isReconnecting = false;
    this.#follow("remove");
    engine?.close();
    this._fire("close", "forced close");
  }

  override _fire(event: unknown, ...args: unknown[]): void {
    // Iterates over a copy, so that a socket that a listener connects does not receive the same event.
    for (const socket of [...this._active]) socket._hear(event, args);
    super._fire(event, ...args);
  }

  #setting<Key extends keyof Settings>(key: Key, value: Settings[Key] | undefined): Settings[Key] | this {
    if (value == null) return this.opts[key];
    this.opts[key] = value;
    return this;
  }

  #onEngineEvent(engine: Engine, callback: OpenCallback | undefined, event: unknown, args: unknown[]): void {
    const wasReconnecting = this._isReconnecting;
    const wasOpen = engine.id !== "";
    let [reason, error] = args as [DisconnectReason, Error | undefined];
    if (wasOpen) this._fire(event, ...args);
    else {
      error ??= new Error(reason);
      this._fire("error", error);
    }
    if (event === "open") {
      this._isReconnecting = false;
      callback?.();
      if (wasReconnecting) this._fire("reconnect", this.#attempts);
      this.#attempts = 0;
    } else if (event === "close") {
      this._isReconnecting = false;
      if (callback && !wasOpen) callback(error);
      else if (this.opts.reconnection && this.engine) this.#reconnectLater();
      if (wasReconnecting) this._fire("reconnect_error", error);
    }
  }

  #reconnectLater(): void {
    const { randomizationFactor, reconnectionAttempts, reconnectionDelay, reconnectionDelayMax } = this.opts;
    if (this.#attempts >= (reconnectionAttempts || Infinity)) {
      this.#attempts = 0;
      this._fire("reconnect_failed");
      return;
    }
    const jitter = 1 + randomizationFactor * (Math.random() * 2 - 1);
    const delay = (reconnectionDelay || 1000) * 2 ** this.#attempts++ * jitter;
    this._isReconnecting = true;
    this.#timer = setTimeout(this.#reconnect, Math.min(delay, reconnectionDelayMax || 5000));
  }

  readonly #reconnect = (): void => {
    this._isReconnecting = this.opts.reconnection;
    if (!this._isReconnecting) return;
    this._fire("reconnect_attempt", this.#attempts);
    this.open();
  };

  /** Starts or stops listening to events of the page and its network. */
  #follow(action: "add" | "remove"): void {
    for (const event of ["online", "offline", "visibilitychange"])
      globalThis[`${action}EventListener`]?.(event, this.#onPageEvent);
  }

  /** Reconnects, or checks the connection, as soon as the page or its network is back. */
  readonly #onPageEvent = ({ type }: Event): void => {
    const { engine } = this;
    if (type === "offline") engine?._close("transport close");
    else if (globalThis.document?.hidden) return;
    else if (engine?.readyState === "closed") this.#reconnect();
    else engine?._probe();
  };
}

function withoutUndefined(options: ManagerOptions): ManagerOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
}
