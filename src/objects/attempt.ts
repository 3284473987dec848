import { Engine } from "../engine/engine.ts";
import { Mute, Silence } from "../shared/mute.ts";
import { findAsyncContext } from "./async-context.ts";
import type { ObjectLayer } from "./definition.ts";
import { createLayerHost } from "./layer-host.ts";
import type { ObjectRuntime } from "./object-runtime.ts";

/** Where the layer above cannot be made, nobody is above the sessions, and what is stored of them stays as it is. */
const NO_LAYER = { connectTimeout: undefined, open() {}, load() {} };

/**
 * One try at the user's setup function, with what is made for it alone: an engine, the layer above, and the mute.
 * After a failure none of them reaches anybody, though timers and promises of the user's code may still hold them.
 */
export class Attempt<Api> {
  readonly engine: Engine;
  phase: "waiting" | "running" | "done" | "failed" = "waiting";
  mute: Mute;
  /** No setup function has completed in this object before. */
  isFirstRun = false;
  readonly #runtime: ObjectRuntime<Api>;
  #layer: ObjectLayer<Api> | undefined;
  #broken: { error: unknown } | undefined;

  constructor(runtime: ObjectRuntime<Api>) {
    this.#runtime = runtime;
    const Context = findAsyncContext();
    this.mute = new Mute(Context && new Context(), runtime.timers);
    const { here, table } = runtime;
    const isReached = () => {
      here.check("the engine");
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

  /** The layer above the sessions; made when it is first needed, since a tick needs it and no setup. */
  get layer(): ObjectLayer<Api> {
    this.#layer ??= this.#createLayer();
    return this.#layer;
  }

  /** What the setup function is called with. @throws what a part of the layer (an adapter) threw when it was made */
  get api(): Api {
    if (this.#broken !== undefined) this.#retryLayer();
    const { api } = this.layer;
    if (this.#broken !== undefined) throw this.#broken.error;
    return api;
  }

  fail(): void {
    this.phase = "failed";
    this.mute = new Silence();
  }

  /** A tick needed it when it could not be made: only sessions have met what stands for it. */
  #retryLayer(): void {
    this.#broken = undefined;
    this.#layer = undefined;
    this.#runtime.table.reload();
  }

  #createLayer(): ObjectLayer<Api> {
    try {
      return this.#runtime.definition.createLayer(createLayerHost(this.#runtime, this));
    } catch (error) {
      this.#broken = { error };
      return NO_LAYER as unknown as ObjectLayer<Api>;
    }
  }
}
