import type {
  AllButLast,
  Auth,
  DecorateAcknowledgements,
  DefaultEventsMap,
  EventNames,
  EventParams,
  FirstArg,
  Last,
  Listener,
  ListenerOf,
  ManagerOptions,
  ManagerReservedEvents,
  SocketOptions,
  SocketReservedEvents,
  TransportName,
  Untyped,
} from "./types.ts";

type Name<Reserved, Listen> = EventNames<Reserved> | EventNames<Listen>;

/** Calls listeners by event name, in the order in which they were added; the methods have the names of the original. */
export interface Emitter<Listen, Emit = Listen, Reserved = object> {
  on<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this;
  once<E extends Name<Reserved, Listen>>(event: E, listener: ListenerOf<Reserved, Listen, E>): this;
  /** Removes one listener, all of an event, or all. */
  off<E extends Name<Reserved, Listen>>(event?: E, listener?: ListenerOf<Reserved, Listen, E>): this;
  emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this;
  listeners<E extends Name<Reserved, Listen>>(event: E): ListenerOf<Reserved, Listen, E>[];
  hasListeners<E extends Name<Reserved, Listen>>(event: E): boolean;
}

/**
 * The Engine.IO connection below a Manager. Its events: `open`, `ping`, `packet(packet)`, `upgrade(transport)`,
 * `upgradeError(cause)` and `close(reason, description)`.
 */
export interface Engine extends Emitter<DefaultEventsMap> {
  /** The session; a secret, unlike the ids of sockets. */
  readonly id: string;
  readonly readyState: "opening" | "open" | "closing" | "closed";
  /** `writable` says whether what is sent now leaves at once. */
  readonly transport: { readonly name: TransportName; readonly writable: boolean };
  /** Closes when all is written and no upgrade is under way. */
  close(): void;
}

/** One connection to a server, shared by the namespaces on it; connects again when it is lost. */
export interface Manager<Listen = DefaultEventsMap, Emit = Listen>
  extends Emitter<Listen, Emit, ManagerReservedEvents> {
  readonly opts: ManagerOptions;
  /** The connection; none before the first and after the last namespace. */
  readonly engine: Engine | undefined;
  readonly nsps: Record<string, Socket<Listen, Emit>>;
  /** Connects, unless it is connected or about to be. With a callback, a first failure is the caller's to handle. */
  open(callback?: (error?: Error) => void): this;
  connect(callback?: (error?: Error) => void): this;
  /** The socket of a namespace; the same one each time. */
  socket(nsp: string, options?: SocketOptions): Socket<Listen, Emit>;
  reconnection(): boolean;
  reconnection(value: boolean): this;
  reconnectionAttempts(): number;
  reconnectionAttempts(value: number): this;
  reconnectionDelay(): number;
  reconnectionDelay(value: number): this;
  reconnectionDelayMax(): number;
  reconnectionDelayMax(value: number): this;
  randomizationFactor(): number;
  randomizationFactor(value: number): this;
  timeout(): number | false;
  timeout(value: number | false): this;
}

/** One namespace of a connection. */
export interface Socket<Listen = DefaultEventsMap, Emit = Listen>
  extends Emitter<Listen, Emit, SocketReservedEvents> {
  readonly io: Manager;
  readonly nsp: string;
  /** Given by the server; none while disconnected. */
  readonly id: string | undefined;
  readonly connected: boolean;
  readonly disconnected: boolean;
  /** Whether it is connected or will connect by itself. */
  readonly active: boolean;
  /** Whether the server has restored the session that was interrupted, missed events included. */
  readonly recovered: boolean;
  auth: Auth | undefined;
  /** Events that came before the server's welcome. */
  receiveBuffer: Untyped[][];
  /** Events that wait for a connection. */
  sendBuffer: Untyped[];
  /** The next event is dropped rather than kept when it cannot leave at once. */
  readonly volatile: this;
  connect(): this;
  open(): this;
  /** Leaves the namespace; the connection closes with the last one. */
  disconnect(): this;
  close(): this;
  /** Sends a `message` event. */
  send(...args: Untyped[]): this;
  /**
   * Sends an event. A function as last argument is called with the answer.
   * @example
   * socket.emit("rename", "bob", (result) => console.log(result));
   */
  emit<E extends EventNames<Emit>>(event: E, ...args: EventParams<Emit, E>): this;
  /**
   * Sends an event and resolves with the answer; rejects at the timeout, or when the connection is lost.
   * @example
   * const result = await socket.timeout(5000).emitWithAck("rename", "bob");
   */
  emitWithAck<E extends EventNames<Emit>>(
    event: E,
    ...args: AllButLast<EventParams<Emit, E>>
  ): Promise<FirstArg<Last<EventParams<Emit, E>>>>;
  /** The next event's callback is called with an error when no answer comes within `ms`. */
  timeout(ms: number): Socket<Listen, DecorateAcknowledgements<Emit>>;
  /** Accepted for compatibility, without effect. */
  compress(compress: boolean): this;
  /** Sees every event that arrives, before its listeners. */
  onAny(listener: Listener): this;
  prependAny(listener: Listener): this;
  offAny(listener?: Listener): this;
  listenersAny(): Listener[];
  /** Sees every event that leaves. */
  onAnyOutgoing(listener: Listener): this;
  prependAnyOutgoing(listener: Listener): this;
  offAnyOutgoing(listener?: Listener): this;
  listenersAnyOutgoing(): Listener[];
}
