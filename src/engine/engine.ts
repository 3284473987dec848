import type { EnginePacket } from "../codec/index.ts";
import { EventEmitter, type OnListenerError } from "../shared/event-emitter.ts";
import { randomId } from "../shared/ids.ts";
import { missing } from "../shared/missing.ts";
import type { ConnectionError } from "./errors.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { EngineRequest } from "./request.ts";
import type { Session } from "./session.ts";

/** The events of an {@link Engine}, with what their listeners receive. */
export type EngineEvents = {
  /** A session was opened. */
  connection: (session: Session) => void;
  /** The object has refused a request. */
  connection_error: (error: ConnectionError<EngineRequest>) => void;
  /** The response to a handshake is about to be sent; listeners may add headers. */
  initial_headers: (headers: Headers, request: EngineRequest) => void;
  /** A response is about to be sent; listeners may add headers. */
  headers: (headers: Headers, request: EngineRequest) => void;
  /** Packets are about to be sent to a client. */
  flush: (session: Session, packets: readonly EnginePacket[]) => void;
  /** Everything that waited for a client has been sent. */
  drain: (session: Session) => void;
};

/** The sessions of one object, as the platform keeps them. */
export interface SessionDirectory {
  /** How many there are, including those that hibernate. Loads none. */
  count(): number;
  /** All of them, loaded. */
  all(): Iterable<Session>;
}

/**
 * The Engine.IO server of one object: `io.engine`, or what `defineEngine` passes to its setup function. An error that a
 * listener throws is logged, and the other listeners run.
 * @example
 * io.engine.on("initial_headers", (headers) => headers.set("x-served-by", "socket.io-edge"));
 */
export class Engine extends EventEmitter<EngineEvents> {
  /** The options with their defaults. */
  readonly opts: ResolvedEngineOptions;
  /** @internal */
  readonly onListenerError: OnListenerError;
  readonly #directory: SessionDirectory;

  static {
    const all = { use: missing, attach: missing, handleRequest: missing, handleUpgrade: missing };
    Object.assign(Engine.prototype, all);
  }

  constructor(options: ResolvedEngineOptions, directory: SessionDirectory, onListenerError: OnListenerError) {
    super();
    this.opts = options;
    this.#directory = directory;
    this.onListenerError = onListenerError;
  }

  /** How many sessions the object has, including those that hibernate. None is loaded. */
  get clientsCount(): number {
    return this.#directory.count();
  }

  /** The sessions of this object by id. Reading this loads all of them into memory. */
  get clients(): Record<string, Session> {
    const clients: Record<string, Session> = Object.create(null);
    for (const session of this.#directory.all()) clients[session.id] = session;
    return clients;
  }

  /**
   * Creates the random part of a session id: 22 random letters (132 bits), or what the option `generateId` returns.
   * Assign another function to change it.
   */
  generateId(request: EngineRequest): string | Promise<string> {
    return this.opts.generateId?.(request) ?? randomId(22);
  }

  /** Whether the application creates ids: they may repeat then. @internal */
  get makesOwnIds(): boolean {
    return this.opts.generateId !== undefined || this.generateId !== Engine.prototype.generateId;
  }

  /** An error of a listener must not cost other clients a packet. @internal */
  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.onListenerError);
  }

  /** Closes every session of this object at once and discards what is queued for them. Clients see `forced close`. */
  close(): this {
    for (const session of this.#directory.all()) session.close(true);
    return this;
  }
}
