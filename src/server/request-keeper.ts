import { type EngineRequest, toQuery } from "../engine/request.ts";
import type { Client } from "./client.ts";
import type { Core } from "./core.ts";
import { Overlay } from "./overlay.ts";
import type { Tracked, TrackedOwner } from "./tracked.ts";

/** What user code puts on `socket.request`: there is one for the connection, so it is kept with that. */
export class RequestKeeper implements TrackedOwner {
  readonly #core: Core;
  readonly #client: Client;
  readonly #stored: Record<string, unknown> | undefined;
  #overlay: Overlay<EngineRequest> | undefined;

  constructor(core: Core, client: Client, stored: Record<string, unknown> | undefined) {
    this.#core = core;
    this.#client = client;
    this.#stored = stored;
  }

  /** The request as user code gets it. */
  keep(request: EngineRequest): EngineRequest {
    const create = () => ({ ...request, _query: toQuery(request.url) });
    if (!this.#core.host.hibernation) return create();
    this.#overlay = new Overlay(this, "socket.request", create, this.#stored);
    return this.#overlay.value;
  }

  record(): Record<string, unknown> | undefined {
    return this.#overlay === undefined ? this.#stored : this.#overlay.record();
  }

  findChanges(): void {
    this.#overlay?.compare();
  }

  forget(): void {
    this.#core.forget(this.#overlay);
  }

  isMuted(): boolean {
    return this.#core.isMuted;
  }

  isSettingUp(): boolean {
    return this.#client._states().some((state) => state?.isSettingUp);
  }

  isResumed(): boolean {
    return this.#client._states().every((state) => state?.wake === "resumed");
  }

  changed(): void {
    this.#client.conn.changed();
  }

  givenOut(tracked: Tracked): void {
    this.#core.givenOut.add(tracked);
  }

  warnLeftOut(path: string): void {
    this.#core.warnLeftOut(path);
  }
}
