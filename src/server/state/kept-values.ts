import type { Session } from "../../engine/session.ts";
import { createHandshake, type Handshake } from "../sockets/handshake.ts";
import { isPlain } from "./containers.ts";
import { Overlay } from "./overlay.ts";
import { unwrap } from "./raw.ts";
import type { KeptRecord, SocketRecord } from "./records.ts";
import { ReplayTracker, type TrackedOwner } from "./replay-tracker.ts";

/** Where the stored values are. */
interface RecordHolder {
  readonly record: SocketRecord | undefined;
}

type Keys = Record<PropertyKey, unknown>;

/**
 * What user code puts on a socket: `socket.data`, properties of its own, and what it changes in `socket.handshake`. The
 * object is made when some of that is first read or written.
 *
 *   in memory  the values themselves, whatever they are
 *   stored     plain copies; what structured clone cannot hold is left out, with one warning for each path
 */
export class KeptValues extends ReplayTracker {
  readonly #socket: object;
  readonly #conn: Session;
  readonly #holder: RecordHolder;
  readonly #own: Keys;
  #data: unknown;
  #handshake: Overlay<Handshake> | undefined;

  constructor(owner: TrackedOwner, socket: object, conn: Session, holder: RecordHolder) {
    super(owner);
    this.#socket = socket;
    this.#conn = conn;
    this.#holder = holder;
    const { data = {}, own, gone } = holder.record?.kept ?? {};
    this.#data = data;
    this.#own = Object.assign(Object.create(null), own);
    this.addRoot(this.#data, gone?.data);
    this.addRoot(this.#own, gone?.own);
    for (const name in this.#own) this.#defineOwn(name);
  }

  get data(): unknown {
    return this.give(this.#data);
  }

  set data(value: unknown) {
    const raw = unwrap(value);
    if (this.owner.context.isMuted) this.#fill(raw);
    else if (raw !== this.#data) {
      this.replaceRoot(this.#data, raw);
      this.#data = raw;
      this.markDirty();
    }
  }

  get handshake(): Overlay<Handshake> {
    this.#handshake ??= new Overlay(
      this.owner,
      "socket.handshake",
      () => createHandshake(this.#conn, this.#holder.record),
      this.#holder.record?.kept?.handshake,
    );
    return this.#handshake;
  }

  /** Stores a property that user code assigns to the socket. Returns false when nothing is stored in this object. */
  keep(name: string, value: unknown): boolean {
    if (!this.owner.context.host.hibernation) return false;
    // A replay that assigns a deleted property is ignored.
    this.set(this.#own, name, value);
    if (Object.hasOwn(this.#own, name)) this.#defineOwn(name);
    return true;
  }

  /** Looks for changes that nothing reports: deleted properties, and values that have escaped. */
  findChanges(): void {
    for (const name in this.#own)
      if (!Object.hasOwn(this.#socket, name)) this.deleteProperty(this.#own, name);
    this.compare();
    this.#handshake?.compare();
  }

  /** The socket is gone. */
  forget(): void {
    this.owner.context.escaped.forget(this);
    this.owner.context.escaped.forget(this.#handshake);
  }

  /** The plain copies to store. Where nothing is stored, it only has what connection state recovery needs. */
  record(): KeptRecord {
    if (!this.owner.context.host.hibernation) return { data: this.#data };
    const record: KeptRecord = {};
    const data = this.toPlain(this.#data, "socket.data");
    if (!isPlain(data) || Object.keys(data as object).length > 0) record.data = data;
    const own = this.toPlain(this.#own, "socket") as Record<string, unknown>;
    if (Object.keys(own).length > 0) record.own = own;
    const gone = { data: this.goneOf(this.#data), own: this.goneOf(this.#own) };
    if (gone.data.length + gone.own.length > 0) record.gone = gone;
    const handshake = this.#handshakeChanges();
    if (handshake !== undefined) record.handshake = handshake;
    return record;
  }

  /** `auth` is stored once, in the record itself: what user code assigned takes the place of what the client gave. */
  #handshakeChanges(): KeptRecord["handshake"] {
    const { record } = this.#holder;
    if (this.#handshake === undefined) return record?.kept?.handshake;
    const changes = this.#handshake.record();
    if (changes === undefined || record === undefined || !("auth" in changes)) return changes;
    const { auth, ...others } = changes;
    record.auth = auth;
    return Object.keys(others).length === 0 ? undefined : others;
  }

  #defineOwn(name: string): void {
    if (Object.hasOwn(this.#socket, name)) return;
    Object.defineProperty(this.#socket, name, {
      get: () => this.give(unwrap(this.#own[name])),
      set: (value: unknown) => void this.set(this.#own, name, value),
      enumerable: true,
      configurable: true,
    });
  }

  /** A replay assigns `socket.data` as a whole: only the keys that were not saved are taken. */
  #fill(raw: unknown): void {
    if (!isPlain(raw) || !isPlain(this.#data)) return;
    for (const [key, value] of Object.entries(raw as Keys)) this.set(this.#data as Keys, key, value);
  }
}
