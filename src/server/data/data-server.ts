import type { Host } from "../host.ts";
import type { RoomDirectory } from "../rooms/room-directory.ts";
import type { EscapedValues } from "../state/escaped-values.ts";

/** How long properties of `io.data` stay after their last change, ms: all of them, or by name. */
export type DataTtl = number | Readonly<Record<string, number>>;

/** Parts of the server that `io.data` uses. */
interface Context {
  readonly host: Pick<Host, "now" | "log" | "isSetUp" | "checkInstance" | "tickBy">;
  readonly escaped: EscapedValues;
  readonly isMuted: boolean;
  readonly rooms: RoomDirectory;
  readonly diagnostics: { warnLeftOut(path: string, value: unknown): void };
}

/** What `io.data` needs to know of the server: its options, and its state. */
export class DataServer {
  readonly escaped: EscapedValues;
  /** How much all rows together may take, bytes. */
  readonly maxDataBytes: number;
  readonly #context: Context;
  readonly #ttl: DataTtl | undefined;

  constructor(context: Context, { maxDataBytes, dataTtl }: { maxDataBytes: number; dataTtl?: DataTtl }) {
    this.#context = context;
    this.escaped = context.escaped;
    this.maxDataBytes = maxDataBytes;
    this.#ttl = dataTtl;
  }

  /** Whether the running code is a replay, or the setup function in an instance that is not the object's first. */
  get isMuted(): boolean {
    return this.#context.isMuted;
  }

  /** Whether the setup function has completed in this instance. */
  get isSetUp(): boolean {
    return this.#context.host.isSetUp;
  }

  now(): number {
    return this.#context.host.now();
  }

  logError(message: string, error?: unknown): void {
    this.#context.host.log("error", message, error);
  }

  warnLeftOut(path: string, value: unknown): void {
    this.#context.diagnostics.warnLeftOut(path, value);
  }

  /** @throws Error when the calling code runs outside the object's instance */
  checkInstance(nsp?: string): void {
    this.#context.host.checkInstance("io.data", nsp);
  }

  /** Makes a tick come at this time or earlier, ms. */
  tickBy(time: number): void {
    this.#context.host.tickBy(time);
  }

  /** How long a property stays after its last change, ms; infinite when it never expires. */
  ttlOf(name: string): number {
    const ttl = this.#ttl;
    const own = typeof ttl === "object" ? Object.hasOwn(ttl, name) && ttl[name] : ttl;
    return typeof own === "number" ? own : Number.POSITIVE_INFINITY;
  }

  canExpire(name: string): boolean {
    return this.ttlOf(name) < Number.POSITIVE_INFINITY;
  }

  /** Whether the code at work may replace or delete what there is: not a replay, nor setup what it did not assign. */
  mayReplace(isDefault: boolean): boolean {
    return this.isSetUp ? !this.isMuted : isDefault;
  }

  /** Whether anybody is in a namespace, or about to be. */
  isInUse(nsp: string): boolean {
    const { rooms } = this.#context;
    return rooms.anyOf(nsp) !== undefined || rooms.of(nsp).pending.size > 0;
  }
}
