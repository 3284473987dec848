/** What JSON may hold, unchecked: the type of an event's arguments until the user names the events. */
export type Untyped = ReturnType<JSON["parse"]>;

/** The event map of a socket whose events nobody has described: any name, any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: Untyped[]) => void;
}

export type Listener = (...args: Untyped[]) => void;

export type EventNames<Events> = keyof Events & (string | symbol);

export type EventParams<Events, Name extends keyof Events> = Events[Name] extends (
  ...args: infer Params
) => unknown
  ? Params
  : never;

/** The listener of a reserved event, else of a user's. */
export type ListenerOf<Reserved, Events, Name> = Name extends keyof Reserved
  ? Reserved[Name]
  : Name extends keyof Events
    ? Events[Name]
    : Listener;

type WithError<Params extends unknown[]> = {
  [Index in keyof Params]: Params[Index] extends (...args: infer Args) => infer Result
    ? (err: Error, ...args: Args) => Result
    : Params[Index];
};

/** The same events with an error in front of every acknowledgement's arguments, as `timeout()` delivers them. */
export type DecorateAcknowledgements<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Params) => infer Result
    ? (...args: WithError<Params>) => Result
    : Events[Name];
};

export type Last<List extends unknown[]> = List extends [...unknown[], infer Item] ? Item : Untyped;

export type AllButLast<List extends unknown[]> = List extends [...infer Rest, unknown] ? Rest : Untyped[];

export type FirstArg<Callback> = Callback extends (arg: infer Arg) => unknown ? Arg : Untyped;

/** Why a transport failed: the HTTP status or the platform's event in `description`, the response in `context`. */
export interface TransportError extends Error {
  type: "TransportError";
  description: unknown;
  context: unknown;
}

export type DisconnectReason =
  | "io server disconnect"
  | "io client disconnect"
  | "ping timeout"
  | "transport close"
  | "transport error"
  | "parse error"
  | "forced close";

export type DisconnectDescription = Error | { description: string; context?: unknown };

/** The error of `connect_error`; `data` is what the server's middleware put there. */
export interface ExtendedError extends Error {
  data?: Untyped;
}

export type TransportName = "polling" | "websocket";

export interface EngineOptions {
  /**
   * What is added to the query of every request. Read again at each connection.
   * @default the query of the URL
   */
  query?: string | Record<string, string>;
  /** @default "/socket.io" */
  path?: string;
  /**
   * Transports in the order in which they are tried.
   * @default ["polling", "websocket"]
   */
  transports?: readonly string[];
  /**
   * Whether a session on polling moves to WebSocket.
   * @default true
   */
  upgrade?: boolean;
  /**
   * Tries the next transport when the first one fails (the original: false).
   * @default true
   */
  tryAllTransports?: boolean;
  /** Headers of polling requests; of WebSockets too where the platform takes them (Node, Deno, Bun). */
  extraHeaders?: Record<string, string>;
  /**
   * Sends cookies to another origin.
   * @default false
   */
  withCredentials?: boolean;
  /**
   * Tries WebSocket first when the last connection of this page ended up there, so that no upgrade is needed.
   * @default false
   */
  rememberUpgrade?: boolean;
  /**
   * Closes the connection when the page goes away, without a `disconnect` event in that page.
   * @default false
   */
  closeOnBeforeunload?: boolean;
}

export interface ManagerOptions extends EngineOptions {
  /** @default true */
  reconnection?: boolean;
  /** @default Infinity */
  reconnectionAttempts?: number;
  /**
   * First delay, in milliseconds.
   * @default 1000
   */
  reconnectionDelay?: number;
  /** @default 5000 */
  reconnectionDelayMax?: number;
  /**
   * How far a delay may be from the computed one, 0 to 1.
   * @default 0.5
   */
  randomizationFactor?: number;
  /**
   * Milliseconds that a connection may take; `false` waits for ever.
   * @default 20000
   */
  timeout?: number | false;
  /** @default true */
  autoConnect?: boolean;
}

export type Auth = Record<string, Untyped> | ((send: (data: object) => void) => void);

export interface SocketOptions {
  /** What the server finds in `handshake.auth`; a function is asked at each connect. */
  auth?: Auth;
  /** Milliseconds that an acknowledgement may take unless `timeout()` says otherwise. */
  ackTimeout?: number;
  /**
   * How often an event is sent again when no acknowledgement comes within `ackTimeout`, or when the connection is lost
   * before. Events keep their order: the next one is sent when the one before it is acknowledged, and the server has to
   * acknowledge each. A callback gets an error, or null, as its first argument. Volatile events are left out.
   * @default 0
   */
  retries?: number;
}

export interface ConnectOptions extends ManagerOptions, SocketOptions {
  /**
   * A connection of its own.
   * @default false
   */
  forceNew?: boolean;
  /**
   * Shares one connection among the namespaces of a server.
   * @default true
   */
  multiplex?: boolean;
}

export interface SocketReservedEvents {
  connect: () => void;
  connect_error: (err: ExtendedError) => void;
  disconnect: (reason: DisconnectReason, description?: DisconnectDescription) => void;
}

export interface ManagerReservedEvents {
  open: () => void;
  error: (err: Error) => void;
  ping: () => void;
  packet: (packet: Untyped) => void;
  close: (reason: DisconnectReason, description?: DisconnectDescription) => void;
  reconnect_failed: () => void;
  reconnect_attempt: (attempt: number) => void;
  reconnect_error: (err: Error) => void;
  reconnect: (attempt: number) => void;
}
