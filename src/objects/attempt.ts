import type { ObjectServer } from "../engine/object-server.ts";
import type { Host } from "../server/host.ts";
import type { ObjectHost } from "./object-host.ts";
import type { SessionTable } from "./sessions/session-table.ts";

/** Stands in for a server that could not be created: what is stored of the sessions stays as it is. */
const NO_SERVER = { connectTimeout: undefined, open() {}, load() {} };

/**
 * One attempt to run the user's setup function, with what is created for it alone: a host with its engine and mute, and
 * the server. After a failure none of them reaches a client, though timers and promises of the user's code may hold
 * them.
 */
export class Attempt<Api> {
  readonly host: ObjectHost;
  readonly #table: SessionTable;
  readonly #create: (host: Host) => ObjectServer<Api>;
  #server: ObjectServer<Api> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(host: ObjectHost, table: SessionTable, createServer: (host: Host) => ObjectServer<Api>) {
    this.host = host;
    this.#table = table;
    this.#create = createServer;
  }

  /** The server on the sessions. It is created when it is first needed: a tick needs it without setup. */
  get server(): ObjectServer<Api> {
    this.#server ??= this.#createServer();
    return this.#server;
  }

  /**
   * What the setup function is called with. @throws what a part of the server (an adapter) threw when it was created
   */
  get api(): Api {
    if (this.#broken !== undefined) this.#retryServer();
    const { api } = this.server;
    if (this.#broken !== undefined) throw this.#broken.error;
    return api;
  }

  /** A tick needed the server when it could not be created: the sessions were given its stand-in. */
  #retryServer(): void {
    this.#broken = undefined;
    this.#server = undefined;
    this.#table.reload();
  }

  #createServer(): ObjectServer<Api> {
    try {
      return this.#create(this.host);
    } catch (error) {
      this.#broken = { error };
      return NO_SERVER as unknown as ObjectServer<Api>;
    }
  }
}
