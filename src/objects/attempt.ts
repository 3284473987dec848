import { Engine } from "../engine/engine.ts";
import type { ObjectServer } from "../engine/object-server.ts";
import type { Host } from "../server/host.ts";
import { Mute, Silence } from "../shared/mute.ts";
import { findAsyncContext } from "./async-context.ts";
import { ObjectHost } from "./object-host.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

/** Stands in for a server that could not be created: what is stored of the sessions stays as it is. */
const NO_SERVER = { connectTimeout: undefined, open() {}, load() {} };

/**
 * One attempt to run the user's setup function, with what is created for it alone: an engine, a server, and the mute.
 * After a failure none of them reaches a client, though timers and promises of the user's code may still hold them.
 */
export class Attempt<Api> {
  readonly engine: Engine;
  readonly host: Host;
  phase: "waiting" | "running" | "done" | "failed" = "waiting";
  mute: Mute;
  /** No setup function has completed in this object before. */
  isFirstRun = false;
  readonly #runtime: ObjectRuntime<Api>;
  #server: ObjectServer<Api> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(runtime: ObjectRuntime<Api>) {
    this.#runtime = runtime;
    const Context = findAsyncContext();
    this.mute = new Mute(Context && new Context(), runtime.timers);
    const { guard, table } = runtime;
    this.host = new ObjectHost(runtime, this);
    const isReached = () => {
      guard.check("the engine");
      return this.phase !== "failed";
    };
    const directory = {
      count: () => (isReached() ? table.count() : 0),
      all: () => (isReached() ? table.all() : []),
    };
    this.engine = new Engine(runtime.definition.engine, directory, (error, event) =>
      runtime.log("error", `a listener of "${String(event)}" failed`, error),
    );
  }

  /** The server on the sessions. It is created when it is first needed: a tick needs it without setup. */
  get server(): ObjectServer<Api> {
    this.#server ??= this.#createServer();
    return this.#server;
  }

  /** What the setup function is called with. @throws what a part of the server (an adapter) threw when it was created */
  get api(): Api {
    if (this.#broken !== undefined) this.#retryServer();
    const { api } = this.server;
    if (this.#broken !== undefined) throw this.#broken.error;
    return api;
  }

  fail(): void {
    this.phase = "failed";
    this.mute = new Silence();
  }

  /** A tick needed the server when it could not be created: the sessions were given its stand-in. */
  #retryServer(): void {
    this.#broken = undefined;
    this.#server = undefined;
    this.#runtime.table.reload();
  }

  #createServer(): ObjectServer<Api> {
    try {
      return this.#runtime.definition.createServer(this.host);
    } catch (error) {
      this.#broken = { error };
      return NO_SERVER as unknown as ObjectServer<Api>;
    }
  }
}
