import {
  ACK,
  CONNECT,
  DISCONNECT,
  EVENT,
  RESERVED_EVENTS,
  type SocketPacket,
} from "../codec/socket-packet.ts";
import { Emitter } from "./emitter.ts";
import type { Manager } from "./manager.ts";
import { RetryQueue } from "./retry-queue.ts";
import type {
  AllButLast,
  Auth,
  DecorateAcknowledgements,
  DefaultEventsMap,
  DisconnectDescription,
  DisconnectReason,
  EventNames,
  EventParams,
  FirstArg,
  Last,
  Listener,
  SocketOptions,
  SocketReservedEvents,
  Untyped,
} from "./types.ts";

/** The modifiers of the next event. */
interface Flags {
  volatile?: boolean;
  timeout?: number;
  /** Whether the callback takes an error as its first argument. */
  withError?: boolean;
}

/** Settles an acknowledgement. Returns false when the callback takes no error, so that the error reaches nobody. */
type Settle = (error: Error | null, args?: unknown[]) => boolean;

/** A client's socket in one namespace. `io()` and `manager.socket()` create it for you. */
export class Socket<Listen = DefaultEventsMap, Emit = Listen> extends Emitter<
  Listen,
  Emit,
  SocketReservedEvents
> {
  /** The manager of the connection. Other sockets may share it. */
  readonly io: Manager<Listen, Emit>;
  /** The namespace, "/" for the main one. */
  readonly nsp: string;
  /** The id that the server has assigned; undefined while the socket is disconnected. */
  id: string | undefined;
  /** Whether the server has recovered the state of this socket, including missed events, at the last connect. */
  recovered = false;
  /** What the server finds in `handshake.auth`; it is read at each connect. */
  auth: Auth | undefined;
  /** Events that were received before the server accepted the socket. */
  receiveBuffer: Untyped[][] = [];
  /** Events that wait for a connection; each function sends one of them. */
  sendBuffer: (() => void)[] = [];

  readonly #opts: SocketOptions;
  #incoming: Listener[] = [];
  #outgoing: Listener[] = [];
  readonly #retries: RetryQueue<Flags> | undefined;
  readonly #acks = new Map<number | undefined, Settle>();
  #flags: Flags = {};
  #ids = 0;
  /** The secret with which the server recovers this socket. */
  #pid: string | undefined;
  /** The offset of the last event, from which the server sends missed events. */
  #offset: string | undefined;

  constructor(io: Manager<Listen, Emit>, nsp: string, options: SocketOptions = {}) {
    super();
    this.io = io;
    this.nsp = nsp;
    this.auth = options.auth;
    this.#opts = options;
    if (options.retries)
      this.#retries = new RetryQueue(options.retries, (args, flags) =>
        this.#send(args, { ...flags, withError: true }),
      );
  }

  /** Whether the server has accepted the socket, and the connection is open. */
  get connected(): boolean {
    return !!this.id;
  }

  /** The opposite of {@link connected}. */
  get disconnected(): boolean {
    return !this.connected;
  }

  /** Whether the socket is connected, or will connect without a call of `connect()`. */
  get active(): boolean {
    return this.io._active.has(this);
  }

  /** The next event is dropped, and not kept, when it cannot leave at once. */
  get volatile(): this {
    this.#flags.volatile = true;
    return this;
  }

  /** Connects to the namespace, and opens the connection if needed. */
  connect(): this {
    const { active } = this;
    this.io._active.add(this);
    if (!this.io._isReconnecting) this.io.open();
    if (!active && this.io.engine?.readyState === "open") this.#join();
    return this;
  }

  /** The same as {@link connect}. */
  open(): this {
    return this.connect();
  }

  /** Leaves the namespace. The connection is closed when its last namespace has been left. */
  disconnect(): this {
    const { connected } = this;
    if (connected) this.#deliver(DISCONNECT);
    this.io._leave(this);
    if (connected) this.#onClose("io client disconnect");
    return this;
  }

  /** The same as {@link disconnect}. */
  close(): this {
    return this.disconnect();
  }

  /** Sends a `message` event. */
  send(...args: Untyped[]): this {
    return this.#emit("message", args);
  }

  /**
   * Sends an event. If the last argument is a function, it is called with the server's acknowledgement.
   * @throws Error when the name is reserved
   * @example
   * socket.emit("rename", "bob", (result) => console.log(result));
   */
  override emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this {
    return this.#emit(event, args);
  }

  /**
   * Sends an event and resolves with the server's acknowledgement. Rejects when `timeout()` or `ackTimeout` is over,
   * and when the connection is lost.
   * @example
   * const result = await socket.timeout(5000).emitWithAck("rename", "bob");
   */
  emitWithAck<E extends EventNames<Emit>>(
    event: E,
    ...args: AllButLast<EventParams<Emit, E>>
  ): Promise<FirstArg<Last<EventParams<Emit, E>>>> {
    return new Promise((resolve, reject) => {
      this.#flags.withError = true;
      const settle = (error: unknown, value: Untyped) => (error ? reject(error) : resolve(value));
      this.#emit(event, [...args, settle]);
    });
  }

  /**
   * Sets how long the next event may wait for its acknowledgement, in milliseconds; then the callback gets an error.
   */
  timeout(ms: number): Socket<Listen, DecorateAcknowledgements<Emit>> {
    this.#flags.timeout = ms;
    return this as Untyped;
  }

  /** Accepted for compatibility, without effect. */
  compress(_compress: boolean): this {
    return this;
  }

  /** Adds a listener for every event that arrives; it is called before the event's own listeners. */
  onAny(listener: Listener): this {
    this.#incoming = [...this.#incoming, listener];
    return this;
  }

  /** Like {@link onAny}, but the listener is called before the others. */
  prependAny(listener: Listener): this {
    this.#incoming = [listener, ...this.#incoming];
    return this;
  }

  /** Removes one such listener, or all of them. */
  offAny(listener?: Listener): this {
    this.#incoming = this.#incoming.filter((other) => listener && other !== listener);
    return this;
  }

  /** The listeners for every event that arrives. */
  listenersAny(): Listener[] {
    return this.#incoming;
  }

  /** Adds a listener for every event that is sent. */
  onAnyOutgoing(listener: Listener): this {
    this.#outgoing = [...this.#outgoing, listener];
    return this;
  }

  /** Like {@link onAnyOutgoing}, but the listener is called before the others. */
  prependAnyOutgoing(listener: Listener): this {
    this.#outgoing = [listener, ...this.#outgoing];
    return this;
  }

  /** Removes one such listener, or all of them. */
  offAnyOutgoing(listener?: Listener): this {
    this.#outgoing = this.#outgoing.filter((other) => listener && other !== listener);
    return this;
  }

  /** The listeners for every event that leaves. */
  listenersAnyOutgoing(): Listener[] {
    return this.#outgoing;
  }

  /** Handles an event of the Manager. @internal */
  _hear(event: unknown, args: unknown[]): void {
    if (event === "open") this.#join();
    else if (event === "error") this.#onError(args[0]);
    else if (event === "close") this.#onClose(...(args as [DisconnectReason, DisconnectDescription?]));
    else if (event === "packet") this.#onPacket(args[0] as SocketPacket);
  }

  /** Sends a CONNECT packet for the namespace. */
  #join(): void {
    const { engine } = this.io;
    const { auth } = this;
    const send = (data?: object) => {
      // The `auth` function may answer after the connection is lost; its answer is then ignored.
      if (engine === this.io.engine)
        this.#deliver(CONNECT, { pid: this.#pid, offset: this.#offset, ...data });
    };
    if (typeof auth === "function") auth(send);
    else send(auth);
  }

  #onPacket({ type, nsp, data, id }: SocketPacket): void {
    if (nsp !== this.nsp) return;
    if (type === CONNECT) this.#onConnect(data as { sid?: string; pid?: string } | undefined);
    else if (type === EVENT) this.#onEvent((data ?? []) as unknown[], id);
    else if (type === ACK) this.#acks.get(id)?.(null, data as unknown[] | undefined);
    else if (type === DISCONNECT) {
      this.io._leave(this);
      this.#onClose("io server disconnect");
    } else {
      const { message, data: details } = (data ?? {}) as { message?: string; data?: unknown };
      this.io._leave(this);
      this._fire("connect_error", Object.assign(new Error(message), { data: details }));
    }
  }

  #onConnect({ sid, pid }: { sid?: string; pid?: string } = {}): void {
    if (!sid) {
      this.#onError(new Error("the server speaks Socket.IO v2"));
      return;
    }
    this.id = sid;
    this.recovered = !!pid && this.#pid === pid;
    this.#pid = pid;
    for (const args of this.receiveBuffer.splice(0)) this.#dispatch(args);
    for (const transmit of this.sendBuffer.splice(0)) transmit();
    this._fire("connect");
    this.#retries?.connected(true);
  }

  #onError(error: unknown): void {
    if (!this.connected) this._fire("connect_error", error);
  }

  #onClose(reason: DisconnectReason, description?: DisconnectDescription): void {
    this.id = undefined;
    this.#retries?.connected(false);
    this._fire("disconnect", reason, description);
    for (const settle of [...this.#acks.values()]) settle(new Error("socket has been disconnected"));
  }

  #onEvent(args: unknown[], id: number | undefined): void {
    let { engine } = this.io;
    if (id !== undefined)
      args.push((...data: unknown[]) => {
        // Only the first answer is sent, and only on the connection on which the event arrived.
        if (this.connected && engine === this.io.engine) this.#deliver(ACK, data, id);
        engine = undefined;
      });
    if (this.connected) this.#dispatch(args);
    else this.receiveBuffer.push(args);
  }

  #dispatch(args: unknown[]): void {
    const last = args.at(-1);
    if (this.#pid && typeof last === "string") this.#offset = last;
    for (const listener of this.#incoming) listener.apply(this, args);
    this._fire(args[0], ...args.slice(1));
  }

  #emit(event: unknown, args: unknown[]): this {
    const flags = this.#flags;
    this.#flags = {};
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${event}" is a reserved event name`);
    if (this.#retries && !flags.volatile) this.#retries.add([event, ...args], flags);
    else this.#send([event, ...args], flags);
    return this;
  }

  /** Sends an event now, buffers it, or drops it if it is volatile and cannot be sent now. */
  #send(args: unknown[], flags: Flags): void {
    const { volatile, timeout = this.#opts.ackTimeout, withError = timeout !== undefined } = flags;
    let id: number | undefined;
    let settle: Settle | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const transmit = () => {
      for (const listener of this.#outgoing) listener.apply(this, args);
      if (settle) this.#acks.set(id, settle);
      this.#deliver(EVENT, args, id);
    };
    const ack = args.at(-1);
    if (typeof ack === "function") {
      args.pop();
      id = this.#ids++;
      settle = (error, answer = []) => {
        clearTimeout(timer);
        this.#acks.delete(id);
        this.sendBuffer = this.sendBuffer.filter((other) => other !== transmit);
        if (withError) ack(error, ...answer);
        else if (!error) ack(...answer);
        return withError;
      };
      if (timeout !== undefined) timer = setTimeout(settle, timeout, new Error("operation has timed out"));
    }
    const { engine } = this.io;
    const isWritable = this.connected && engine?.transport.writable;
    if (volatile && !isWritable) settle?.(new Error("dropped"));
    else if (this.connected && !engine?._isExpired()) transmit();
    else this.sendBuffer.push(transmit);
  }

  /** Sends a packet. If it is too large, the error goes to its callback, or else to the console and the Manager. */
  #deliver(type: SocketPacket["type"], data?: unknown, id?: number): void {
    if (this.io.engine?._send({ type, nsp: this.nsp, data, id }) !== false) return;
    const error = new Error("over maxPayload");
    if (type === EVENT && this.#acks.get(id)?.(error)) return;
    console.error(error);
    this.io._fire("error", error);
  }
}
