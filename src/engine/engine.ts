import type { EnginePacket } from "../codec/index.ts";
import { EventEmitter, type OnListenerError } from "../shared/event-emitter.ts";
import { randomId } from "../shared/ids.ts";
import { missing } from "../shared/missing.ts";
import type { ConnectionError } from "./errors.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { EngineRequest } from "./request.ts";
import type { Session } from "./session.ts";

export type EngineEvents = {
  connection: (session: Session) => void;
  connection_error: (error: ConnectionError<EngineRequest>) => void;
  initial_headers: (headers: Headers, request: EngineRequest) => void;
  headers: (headers: Headers, request: EngineRequest) => void;
  flush: (session: Session, packets: readonly EnginePacket[]) => void;
  drain: (session: Session) => void;
};

/** The sessions of one object, as the platform keeps them. */
export interface SessionDirectory {
  /** How many there are, sleeping ones too. Loads none. */
  count(): number;
  /** All of them, loaded. */
  all(): Iterable<Session>;
}

/** The Engine.IO server of one object: `io.engine`, or what `defineEngine` hands out. */
export class Engine extends EventEmitter<EngineEvents> {
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

  /** Sessions of this object, sleeping ones included. */
  get clientsCount(): number {
    return this.#directory.count();
  }

  /** The sessions of this object by id. Reading it loads all of them. */
  get clients(): Record<string, Session> {
    const clients: Record<string, Session> = Object.create(null);
    for (const session of this.#directory.all()) clients[session.id] = session;
    return clients;
  }

  /** The random part of a session id: 16 bytes, base64url. Assign another function to change it. */
  generateId(request: EngineRequest): string | Promise<string> {
    return this.opts.generateId?.(request) ?? randomId(16);
  }

  /** Whether ids come from the application: such ids may repeat. @internal */
  get makesOwnIds(): boolean {
    return this.opts.generateId !== undefined || this.generateId !== Engine.prototype.generateId;
  }

  /** The object serves many: what a listener throws costs none of them a packet. @internal */
  protected override _emit(event: string | symbol, args: readonly unknown[]): boolean {
    return this._emitSafely(event, args, this.onListenerError);
  }

  /** Ends every session of this object at once; what is queued for them is dropped. */
  close(): this {
    for (const session of this.#directory.all()) session.close(true);
    return this;
  }
}
