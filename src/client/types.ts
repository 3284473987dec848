/** Any JSON value, unchecked: the type of an event's arguments unless the user declares the events. */
export type Untyped = ReturnType<JSON["parse"]>;

/** The events of a socket whose events are not declared: any name with any arguments. */
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

/** The type of a listener, for a reserved event or one of the user's. */
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

/** The same events, with an error as the first argument of each acknowledgement, as after `timeout()`. */
export type DecorateAcknowledgements<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Params) => infer Result
    ? (...args: WithError<Params>) => Result
    : Events[Name];
};

export type Last<List extends unknown[]> = List extends [...unknown[], infer Item] ? Item : Untyped;

export type AllButLast<List extends unknown[]> = List extends [...infer Rest, unknown] ? Rest : Untyped[];

export type FirstArg<Callback> = Callback extends (arg: infer Arg) => unknown ? Arg : Untyped;

/** Why a transport failed. `description` is the HTTP status or the platform's event, `context` the response. */
export interface TransportError extends Error {
  type: "TransportError";
  description: unknown;
  context: unknown;
}

/** The first argument of `disconnect`. */
export type DisconnectReason =
  | "io server disconnect"
  | "io client disconnect"
  | "ping timeout"
  | "transport close"
  | "transport error"
  | "parse error"
  | "forced close";

export type DisconnectDescription = Error | { description: string; context?: unknown };

/** The error of `connect_error`; `data` is the property `data` of the error that a middleware passed to `next`. */
export interface ExtendedError extends Error {
  data?: Untyped;
}

export type TransportName = "polling" | "websocket";

export interface EngineOptions {
  /**
   * Parameters that are added to the query of every request. They are read again at each connect.
   * @default the query of the URL
   */
  query?: string | Record<string, string>;
  /**
   * The path of the server; it has to equal the server's option `path`.
   * @default "/socket.io"
   */
  path?: string;
  /**
   * The transports, in the order in which they are tried.
   * @default ["polling", "websocket"]
   */
  transports?: readonly string[];
  /**
   * Whether a session that begins with polling is upgraded to WebSocket.
   * @default true
   */
  upgrade?: boolean;
  /**
   * Whether the next transport is tried when the first one fails. (The official client's default is false.)
   * @default true
   */
  tryAllTransports?: boolean;
  /** Headers of polling requests, and of WebSocket handshakes where the platform allows it (Node, Deno, Bun). */
  extraHeaders?: Record<string, string>;
  /**
   * Whether cookies are sent to a server of another origin.
   * @default false
   */
  withCredentials?: boolean;
  /**
   * Whether WebSocket is tried first when the last connection of this page used it, so that no upgrade is needed.
   * @default false
   */
  rememberUpgrade?: boolean;
  /**
   * Whether the connection is closed when the page goes away. No `disconnect` event is emitted in that page.
   * @default false
   */
  closeOnBeforeunload?: boolean;
}

export interface ManagerOptions extends EngineOptions {
  /**
   * Whether a lost connection is opened again.
   * @default true
   */
  reconnection?: boolean;
  /**
   * How many times to try before giving up.
   * @default Infinity
   */
  reconnectionAttempts?: number;
  /**
   * The delay before the first attempt to reconnect, in milliseconds. It doubles with each attempt.
   * @default 1000
   */
  reconnectionDelay?: number;
  /**
   * The longest delay between two attempts, in milliseconds.
   * @default 5000
   */
  reconnectionDelayMax?: number;
  /**
   * By how much a delay may differ at random from the computed one, 0 to 1.
   * @default 0.5
   */
  randomizationFactor?: number;
  /**
   * How long connecting may take, in milliseconds; `false` waits without end.
   * @default 20000
   */
  timeout?: number | false;
  /**
   * Whether to connect without a call of `connect()`.
   * @default true
   */
  autoConnect?: boolean;
}

/** What the server finds in `handshake.auth`, or a function that is called at each connect and passes it on. */
export type Auth = Record<string, Untyped> | ((send: (data: object) => void) => void);

export interface SocketOptions {
  /** What the server finds in `handshake.auth`; a function is called at each connect. */
  auth?: Auth;
  /** How long an acknowledgement may take, in milliseconds, for events without a `timeout()` of their own. */
  ackTimeout?: number;
  /**
   * How many times an event is sent again when it is not acknowledged within `ackTimeout`, or when the connection is
   * lost before. The server has to acknowledge every event. Events stay in order: each is sent when the one before it
   * has been acknowledged. A callback gets an error or null as its first argument. Volatile events are not retried.
   * @default 0
   */
  retries?: number;
}

export interface ConnectOptions extends ManagerOptions, SocketOptions {
  /**
   * Whether the socket gets a connection of its own.
   * @default false
   */
  forceNew?: boolean;
  /**
   * Whether the namespaces of a server share one connection.
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
