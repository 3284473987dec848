import { estimateMemory } from "../../shared/estimate-bytes.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import { HANDLER_BYTES, REPLAY_LIMIT_MS } from "../constants.ts";
import type { SocketScope } from "./socket-scope.ts";

/**
 * Runs the listeners of one socket, and the `connection` listeners for it. While one has not settled, the object is
 * kept awake (within a limit); when it has settled, changes are looked for that nothing has reported.
 */
export class Handlers {
  readonly #scope: SocketScope;
  /** How many rounds of `connection` listeners have not settled. */
  #settingUp = 0;

  constructor(scope: SocketScope) {
    this.#scope = scope;
  }

  /** Whether `connection` listeners are running, for the first time or again. */
  get isSettingUp(): boolean {
    return this.#settingUp > 0;
  }

  /** Runs the listeners of `args[0]` with the other arguments. */
  run(args: readonly unknown[]): void {
    const { socket, context } = this.#scope;
    const promises = EventEmitter.dispatch(socket, args, context.diagnostics.onError);
    if (promises !== undefined) this.#keepAwake(this.#whenSettled(promises), estimateMemory(args));
    else if (this.#scope.hasKeptValues || !context.escaped.isEmpty) this.#onSettled();
  }

  /** Runs the `connection` listeners. */
  announce(): void {
    const done = this.#runConnectionListeners();
    if (done !== undefined) this.#keepAwake(done, 0);
  }

  /** Runs the `connection` listeners again. They are muted: their effects on the outside happened the first time. */
  replay(): unknown {
    return this.#scope.context.host.mute.run(() => this.#runConnectionListeners(), REPLAY_LIMIT_MS);
  }

  #runConnectionListeners(): Promise<void> | undefined {
    const { context, nsp, socket } = this.#scope;
    const { onError } = context.diagnostics;
    this.#settingUp++;
    const first = EventEmitter.dispatch(nsp.face, ["connect", socket], onError) ?? [];
    const second = EventEmitter.dispatch(nsp.face, ["connection", socket], onError) ?? [];
    const promises = [...first, ...second];
    if (promises.length > 0) return this.#whenSettled(promises).then(() => void this.#settingUp--);
    this.#settingUp--;
    this.#onSettled();
  }

  #onSettled(): void {
    this.#scope.context.onSettled(() => this.#scope.findChanges());
  }

  async #whenSettled(promises: readonly unknown[]): Promise<void> {
    const { escaped } = this.#scope.context;
    escaped.handlerStarted();
    await Promise.all(promises);
    escaped.handlerEnded();
    this.#onSettled();
  }

  #keepAwake(done: Promise<void>, bytes: number): void {
    const { keepAlive } = this.#scope.context;
    const work = keepAlive.begin(this.#scope.connection, false, HANDLER_BYTES + bytes);
    done.then(() => keepAlive.end(work));
  }
}
