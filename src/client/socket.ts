import { PacketType, RESERVED_EVENTS, type SocketPacket } from "../codec/index.ts";
import { Emitter } from "./emitter.ts";
import type { Manager } from "./manager.ts";
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
} from "./types.ts";

interface Flags {
  volatile?: boolean;
  timeout?: number;
  /** The callback takes an error first. */
  withError?: boolean;
}

/** An event that is sent until it is answered. */
interface QueuedEvent {
  args: unknown[];
  flags: Flags;
  tries: number;
  isPending: boolean;
  ack: Listener | undefined;
}

/** Settles an acknowledgement; false when its callback cannot take an error. */
type Settle = (error: Error | null, args?: unknown[]) => boolean | undefined;

/** One namespace of a connection. */
export class Socket<Listen = DefaultEventsMap, Emit = Listen> extends Emitter<
  Listen,
  Emit,
  SocketReservedEvents
> {
  readonly io: Manager;
  readonly nsp: string;
  /** Given by the server; none while disconnected. */
  id: string | undefined;
  connected = false;
  /** Whether the server has restored the session that was interrupted, missed events included. */
  recovered = false;
  auth: Auth | undefined;
  receiveBuffer: unknown[][] = [];
  sendBuffer: SocketPacket[] = [];
  readonly #opts: SocketOptions;
  readonly #any = new Emitter<DefaultEventsMap>();
  readonly #acks = new Map<number | undefined, Settle>();
  readonly #queue: QueuedEvent[] = [];
  #ids = 0;
  #flags: Flags = {};
  #pid: string | undefined;
  #offset: string | undefined;

  constructor(io: Manager, nsp: string, options: SocketOptions = {}) {
    super();
    this.io = io;
    this.nsp = nsp;
    this.#opts = options;
    this.auth = options.auth;
  }

  get disconnected(): boolean {
    return !this.connected;
  }

  /** Whether it is connected or will connect by itself. */
  get active(): boolean {
    return this.io.active_.has(this as unknown as Socket);
  }

  /** The next event is dropped rather than kept when it cannot leave at once. */
  get volatile(): this {
    this.#flags.volatile = true;
    return this;
  }

  /** The next event's callback is called with an error when no answer comes within `ms`. */
  timeout(ms: number): Socket<Listen, DecorateAcknowledgements<Emit>> {
    this.#flags.timeout = ms;
    return this as unknown as Socket<Listen, DecorateAcknowledgements<Emit>>;
  }

  /** Accepted for compatibility, without effect. */
  compress(_compress: boolean): this {
    return this;
  }

  connect(): this {
    const { io, active } = this;
    if (this.connected) return this;
    io.active_.add(this as unknown as Socket);
    if (!io._reconnecting) io.open();
    if (!active && io._readyState === "open") this.onOpen_();
    return this;
  }

  /** @see connect */
  open(): this {
    return this.connect();
  }

  /** Leaves the namespace; the connection closes with the last one. */
  disconnect(): this {
    const { connected } = this;
    if (connected) this.io.send_({ type: PacketType.DISCONNECT, nsp: this.nsp });
    this.io.leave_(this as unknown as Socket);
    if (connected) this.onClose_("io client disconnect");
    return this;
  }

  /** @see disconnect */
  close(): this {
    return this.disconnect();
  }

  /** Sends a `message` event. */
  send(...args: unknown[]): this {
    return this.#emit("message", args);
  }

  /**
   * Sends an event. A function as last argument is called with the answer.
   * @example
   * socket.emit("rename", "bob", (result) => console.log(result));
   */
  override emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this {
    return this.#emit(event, args);
  }

  /**
   * Sends an event and resolves with the answer; rejects at the timeout, or when the connection is lost.
   * @example
   * const result = await socket.timeout(5000).emitWithAck("rename", "bob");
   */
  emitWithAck<E extends EventNames<Emit>>(
    event: E,
    ...args: AllButLast<EventParams<Emit, E>>
  ): Promise<FirstArg<Last<EventParams<Emit, E>>>> {
    return new Promise((resolve, reject) => {
      this.#flags.withError = true;
      this.#emit(event, [
        ...args,
        (error: Error | null, value: FirstArg<Last<EventParams<Emit, E>>>) =>
          error ? reject(error) : resolve(value),
      ]);
    });
  }

  /** Sees every event that arrives, before its listeners. */
  onAny(listener: Listener): this {
    this.#any.on("in", listener);
    return this;
  }

  prependAny(listener: Listener): this {
    this.#any.prepend_("in", listener);
    return this;
  }

  offAny(listener?: Listener): this {
    this.#any.off("in", listener);
    return this;
  }

  listenersAny(): Listener[] {
    return this.#any.listeners("in");
  }

  /** Sees every event that leaves. */
  onAnyOutgoing(listener: Listener): this {
    this.#any.on("out", listener);
    return this;
  }

  prependAnyOutgoing(listener: Listener): this {
    this.#any.prepend_("out", listener);
    return this;
  }

  offAnyOutgoing(listener?: Listener): this {
    this.#any.off("out", listener);
    return this;
  }

  listenersAnyOutgoing(): Listener[] {
    return this.#any.listeners("out");
  }

  onOpen_(): void {
    const { engine } = this.io;
    const { auth } = this;
    const connect = (data?: object) => {
      // An answer that comes after the connection is lost belongs to no connection.
      if (engine !== this.io.engine) return;
      const recovery = this.#pid && { pid: this.#pid, offset: this.#offset };
      this.io.send_({
        type: PacketType.CONNECT,
        nsp: this.nsp,
        data: recovery ? { ...recovery, ...data } : data,
      });
    };
    typeof auth === "function" ? auth(connect) : connect(auth);
  }

  onError_(error: Error): void {
    if (!this.connected) this.trigger_("connect_error", error);
  }

  onClose_(reason: DisconnectReason, description?: DisconnectDescription): void {
    this.connected = false;
    this.id = undefined;
    this.trigger_("disconnect", reason, description);
    for (const [id, settle] of this.#acks) {
      if (!this.sendBuffer.some((packet) => packet.id === id))
        settle(new Error("socket has been disconnected"));
    }
  }

  onPacket_({ type, data, id }: SocketPacket): void {
    if (type === PacketType.CONNECT) this.#onConnect(data as { sid?: string; pid?: string });
    if (type === PacketType.EVENT) this.#onEvent(data as unknown[], id);
    if (type === PacketType.ACK) this.#acks.get(id)?.(null, data as unknown[]);
    if (type === PacketType.DISCONNECT) {
      this.io.leave_(this as unknown as Socket);
      this.onClose_("io server disconnect");
    }
    if (type === PacketType.CONNECT_ERROR) {
      const { message, data: details } = data as { message: string; data?: unknown };
      this.io.leave_(this as unknown as Socket);
      this.trigger_("connect_error", Object.assign(new Error(message), { data: details }));
    }
  }
  #emit(event: unknown, args: unknown[]): this {
    const flags = this.#flags;
    this.#flags = {};
    if (RESERVED_EVENTS.has(event)) throw new Error(`"${event}" is a reserved event name`);
    if (this.#opts.retries && !flags.volatile) this.#enqueue([event, ...args], flags);
    else this.#send([event, ...args], flags);
    return this;
  }

  #send(data: unknown[], { volatile, timeout = this.#opts.ackTimeout, withError }: Flags): void {
    const packet: SocketPacket = { type: PacketType.EVENT, nsp: this.nsp, data };
    const { engine } = this.io;
    if (typeof data.at(-1) === "function") {
      packet.id = this.#ids++;
      this.#expectAck(packet.id, data.pop() as Listener, timeout, withError);
    }
    if (volatile && !engine?.transport?.writable) return;
    if (this.connected && !engine?.isExpired_()) this.#transmit(packet);
    else this.sendBuffer.push(packet);
  }

  #transmit(packet: SocketPacket): void {
    this.#any.trigger_("out", ...(packet.data as unknown[]));
    this.#deliver(packet);
  }

  /** Sends a packet, or says why it cannot be sent: to its callback, or else in public. */
  #deliver(packet: SocketPacket): void {
    const error = this.io.send_(packet);
    if (!error || this.#acks.get(packet.id)?.(error)) return;
    console.error(error);
    this.io.trigger_("error", error);
  }

  #expectAck(id: number, ack: Listener, timeout?: number, withError = timeout !== undefined): void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle: Settle = (error, args = []) => {
      clearTimeout(timer);
      this.#acks.delete(id);
      if (error) this.sendBuffer = this.sendBuffer.filter((packet) => packet.id !== id);
      if (withError) ack(error, ...args);
      else if (!error) ack(...args);
      return withError;
    };
    if (timeout !== undefined)
      timer = setTimeout(() => settle(new Error("operation has timed out")), timeout);
    this.#acks.set(id, settle);
  }

  #enqueue(args: unknown[], flags: Flags): void {
    const ack = typeof args.at(-1) === "function" ? (args.pop() as Listener) : undefined;
    this.#queue.push({ args, flags: { ...flags, withError: true }, tries: 0, isPending: false, ack });
    this.#drain();
  }

  /** Sends the first event of the queue; one at a time, so that their order holds. */
  #drain(isForced?: boolean): void {
    const [event] = this.#queue;
    if (!event || !this.connected || (event.isPending && !isForced)) return;
    event.isPending = true;
    event.tries++;
    const onAnswer = (error: Error | null, ...args: unknown[]) => {
      if (event !== this.#queue[0]) return;
      event.isPending = false;
      if (!error || event.tries > (this.#opts.retries ?? 0)) {
        this.#queue.shift();
        event.ack?.(error, ...args);
      }
      this.#drain();
    };
    this.#send([...event.args, onAnswer], event.flags);
  }

  #onConnect({ sid, pid }: { sid?: string; pid?: string } = {}): void {
    if (!sid) {
      this.trigger_("connect_error", new Error("no sid: is the server of version 2?"));
      return;
    }
    this.id = sid;
    this.recovered = !!pid && pid === this.#pid;
    this.#pid = pid;
    this.connected = true;
    for (const args of this.receiveBuffer.splice(0)) this.#dispatch(args);
    for (const packet of this.sendBuffer.splice(0)) this.#transmit(packet);
    this.#drain(true);
    this.trigger_("connect");
  }

  #onEvent(args: unknown[] = [], id?: number): void {
    const { engine } = this.io;
    let isSent = false;
    if (id !== undefined) {
      args.push((...data: unknown[]) => {
        // An answer counts once, and only on the connection that asked.
        if (!isSent && this.connected && engine === this.io.engine)
          this.#deliver({ type: PacketType.ACK, nsp: this.nsp, id, data });
        isSent = true;
      });
    }
    if (this.connected) this.#dispatch(args);
    else this.receiveBuffer.push(args);
  }

  #dispatch(args: unknown[]): void {
    const last = args.at(-1);
    if (this.#pid && typeof last === "string") this.#offset = last;
    this.#any.trigger_("in", ...args);
    this.trigger_(...(args as [unknown]));
  }
}
