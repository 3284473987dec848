import { type EngineRequest, toQuery } from "../../engine/request.ts";
import { Overlay } from "../state/overlay.ts";
import type { TrackedOwner } from "../state/replay-tracker.ts";
import type { SocketControl } from "./socket-member.ts";

type Changes = Record<string, unknown>;

/** `socket.request`, which all sockets of a connection share, and what user code has changed in it. */
export class KeptRequest implements TrackedOwner {
  readonly context: TrackedOwner["context"];
  /** Marks the session as one that has to be saved. */
  readonly markDirty: () => void;
  readonly #states: () => readonly (SocketControl | undefined)[];
  /** What was changed in an earlier instance. */
  readonly #stored: Changes | undefined;
  /** Made when somebody looks at the request. */
  #overlay: Overlay<EngineRequest> | undefined;

  constructor(
    context: TrackedOwner["context"],
    states: () => readonly (SocketControl | undefined)[],
    markDirty: () => void,
    stored: Changes | undefined,
  ) {
    this.context = context;
    this.markDirty = markDirty;
    this.#states = states;
    this.#stored = stored;
  }

  get isSettingUp(): boolean {
    return this.#states().some((state) => state?.isSettingUp);
  }

  get isResumed(): boolean {
    return this.#states().every((state) => state?.isResumed);
  }

  open({ method, url, headers, socket, connection }: EngineRequest): EngineRequest {
    const create = () => ({ method, url, headers, socket, connection, _query: toQuery(url) });
    this.#overlay = new Overlay(this, "socket.request", create, this.#stored);
    return this.#overlay.value;
  }

  /** A handler has settled: it may have changed the request unseen. */
  findChanges(): void {
    this.#overlay?.compare();
  }

  forget(): void {
    this.context.escaped.forget(this.#overlay);
  }

  record(): Changes | undefined {
    return this.#overlay === undefined ? this.#stored : this.#overlay.record();
  }
}
