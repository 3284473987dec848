import type { Client } from "./client.ts";
import type { Core } from "./core.ts";
import { createHandshake, type Handshake } from "./handshake.ts";
import { type KeptRecord, KeptValues } from "./kept-values.ts";
import type { Member } from "./membership.ts";
import { Overlay } from "./overlay.ts";
import type { SocketState } from "./socket-state.ts";
import type { Tracked, TrackedOwner } from "./tracked.ts";

/** What is the object's own while it never sleeps: nothing has to be seen. */
interface Untracked<T> {
  value: T;
}

/**
 * What user code puts on a socket (`socket.data`, properties of its own) and changes in `socket.handshake`. Made when
 * some of it is touched, and each part only then.
 */
export class Keeper implements TrackedOwner {
  readonly #core: Core;
  readonly #state: SocketState;
  readonly #client: Client;
  readonly #member: Member;
  readonly #untracked: Untracked<unknown> | undefined;
  #values: KeptValues | undefined;
  #handshake: Overlay<Handshake> | Untracked<Handshake> | undefined;

  constructor(core: Core, state: SocketState, client: Client, member: Member) {
    this.#core = core;
    this.#state = state;
    this.#client = client;
    this.#member = member;
    if (!core.host.hibernation) this.#untracked = { value: member.record?.kept?.data ?? {} };
    else if (member.record?.kept?.own) for (const name of this.#kept.ownNames) this.#defineOwn(name);
  }

  get data(): unknown {
    return this.#untracked === undefined ? this.#kept.data : this.#untracked.value;
  }

  set data(value: unknown) {
    if (this.#untracked === undefined) this.#kept.data = value;
    else this.#untracked.value = value;
  }

  get handshake(): Handshake {
    return this.#overlay.value;
  }

  set handshake(value: Handshake) {
    this.#overlay.value = value;
  }

  /** A property that user code assigned to the socket. False: nothing is stored here. */
  keep(name: string, value: unknown): boolean {
    if (this.#untracked !== undefined) return false;
    if (this.#kept.setOwn(name, value)) this.#defineOwn(name);
    return true;
  }

  toRecord(): KeptRecord | undefined {
    if (this.#untracked !== undefined) return { data: this.#untracked.value };
    const stored = this.#member.record?.kept;
    const record: KeptRecord = this.#values === undefined ? { ...stored } : this.#values.record();
    if (this.#handshake instanceof Overlay) record.handshake = this.#handshakeOf(this.#handshake.record());
    else record.handshake = stored?.handshake;
    if (record.handshake === undefined) delete record.handshake;
    return Object.keys(record).length === 0 ? undefined : record;
  }

  /** Looks for what no proxy saw: handlers may hold a Map that they were given long ago. */
  findChanges(): void {
    this.#values?.forgetMissing(this.#state.socket);
    this.#values?.compare();
    if (this.#handshake instanceof Overlay) this.#handshake.compare();
  }

  forget(): void {
    this.#core.forget(this.#values);
    if (this.#handshake instanceof Overlay) this.#core.forget(this.#handshake);
  }

  isMuted(): boolean {
    return this.#core.isMuted;
  }

  isSettingUp(): boolean {
    return this.#state.isSettingUp;
  }

  isResumed(): boolean {
    return this.#state.wake === "resumed";
  }

  changed(): void {
    this.#state.changed();
  }

  givenOut(tracked: Tracked): void {
    this.#core.givenOut.add(tracked);
  }

  warnLeftOut(path: string): void {
    this.#core.warnLeftOut(path);
  }

  get #kept(): KeptValues {
    this.#values ??= new KeptValues(this, this.#member.record?.kept);
    return this.#values;
  }

  get #overlay(): Overlay<Handshake> | Untracked<Handshake> {
    if (this.#handshake !== undefined) return this.#handshake;
    const create = () => createHandshake(this.#client.conn, this.#member.record);
    this.#handshake =
      this.#untracked === undefined
        ? new Overlay(this, "socket.handshake", create, this.#member.record?.kept?.handshake)
        : { value: create() };
    return this.#handshake;
  }

  /** What the client gave is stored once: what user code made of it takes its place. */
  #handshakeOf(changes: KeptRecord["handshake"]): KeptRecord["handshake"] {
    const { record } = this.#member;
    if (changes === undefined || record === undefined || !("auth" in changes)) return changes;
    const { auth, ...others } = changes;
    record.auth = auth;
    return Object.keys(others).length === 0 ? undefined : others;
  }

  #defineOwn(name: string): void {
    const { socket } = this.#state;
    if (Object.hasOwn(socket, name)) return;
    Object.defineProperty(socket, name, {
      get: () => this.#kept.own(name),
      set: (value: unknown) => void this.#kept.setOwn(name, value),
      enumerable: true,
      configurable: true,
    });
  }
}
