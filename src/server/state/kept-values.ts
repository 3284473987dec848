import type { Session } from "../../engine/session.ts";
import type { Member } from "../rooms/membership.ts";
import { createHandshake, type Handshake } from "../sockets/handshake.ts";
import { Overlay } from "./overlay.ts";
import { isPlain, unwrap } from "./plain.ts";
import { Tracked, type TrackedOwner } from "./tracked.ts";

/** What is stored of them. */
export interface KeptRecord {
  data?: unknown;
  /** Properties that user code put on the socket. */
  own?: Record<string, unknown>;
  /** What user code changed in `socket.handshake`, by its keys. */
  handshake?: Record<string, unknown>;
  /** Keys that were deleted: a replay must not bring them back. */
  gone?: { data: string[]; own: string[] };
}

type Keys = Record<PropertyKey, unknown>;

/**
 * What user code puts on a socket: `socket.data`, properties of its own, and what it changes in `socket.handshake`. Made
 * when some of it is touched.
 *
 *   awake:  raw values, whatever they are
 *   record: plain copies; what structured clone cannot hold is left out, with one warning a path
 */
export class KeptValues extends Tracked {
  readonly #socket: object;
  readonly #conn: Session;
  readonly #member: Member;
  readonly #own: Keys;
  #data: unknown;
  #handshake: Overlay<Handshake> | undefined;

  constructor(owner: TrackedOwner, socket: object, conn: Session, member: Member) {
    super(owner);
    this.#socket = socket;
    this.#conn = conn;
    this.#member = member;
    const { data = {}, own, gone } = member.record?.kept ?? {};
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
    if (this.owner.core.isMuted) this.#fill(raw);
    else if (raw !== this.#data) {
      this.replaceRoot(this.#data, raw);
      this.#data = raw;
      this.changed();
    }
  }

  get handshake(): Overlay<Handshake> {
    this.#handshake ??= new Overlay(
      this.owner,
      "socket.handshake",
      () => createHandshake(this.#conn, this.#member.record),
      this.#member.record?.kept?.handshake,
    );
    return this.#handshake;
  }

  /** A property that user code assigned to the socket. False: nothing is stored here, and it is one like any other. */
  keep(name: string, value: unknown): boolean {
    if (!this.owner.core.host.hibernation) return false;
    // A replay assigns what was deleted, and is not listened to.
    this.set(this.#own, name, value);
    if (Object.hasOwn(this.#own, name)) this.#defineOwn(name);
    return true;
  }

  /** Looks for what nothing reports when a handler has settled: deleted properties, and changes in a Map given out long ago. */
  findChanges(): void {
    // The object has no prototype, and costs nothing to look through where it is empty.
    for (const name in this.#own)
      if (!Object.hasOwn(this.#socket, name)) this.deleteProperty(this.#own, name);
    this.compare();
    this.#handshake?.compare();
  }

  /** The socket is gone. */
  forget(): void {
    this.owner.core.forget(this);
    this.owner.core.forget(this.#handshake);
  }

  /** Nothing in it where nothing is kept. */
  record(): KeptRecord {
    if (!this.owner.core.host.hibernation) return { data: this.#data };
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

  /** What the client gave as `auth` is stored once: what user code made of it takes its place. */
  #handshakeChanges(): KeptRecord["handshake"] {
    const { record } = this.#member;
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

  /** A replay assigns `socket.data` as a whole: what was not saved of it is taken. */
  #fill(raw: unknown): void {
    if (!isPlain(raw) || !isPlain(this.#data)) return;
    for (const [key, value] of Object.entries(raw as Keys)) this.set(this.#data as Keys, key, value);
  }
}
