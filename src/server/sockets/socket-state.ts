import type { SocketPacket } from "../../codec/index.ts";
import { BINARY_EVENT, CONNECT, DISCONNECT, EVENT } from "../../codec/socket-packet.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import { type Admission, type AnyListener, EventEmitter, isThenable } from "../../shared/event-emitter.ts";
import { CatchAll } from "../api/catch-all.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import type { AnySocket } from "../api/socket.ts";
import type { BroadcastFlags, DisconnectReason, Room } from "../api/socket-types.ts";
import type { Core } from "../core.ts";
import { encodeEvent } from "../recovery/encode-event.ts";
import { type MemberState, ROOM_BYTES } from "../rooms/member.ts";
import type { TrackedOwner } from "../state/change-tracker.ts";
import { KeptValues } from "../state/kept-values.ts";
import type { KeptRecord } from "../state/records.ts";
import type { Client } from "./client.ts";
import { type EventMiddleware, Inbox } from "./inbox.ts";
import { type AckCallback, PendingAcks } from "./pending-acks.ts";
import type { SocketMember } from "./socket-member.ts";

/** "recovered": its client came back in time. "loaded": another instance of the object knew it. */
export type SocketOrigin = "new" | "recovered" | "loaded";

/** What a handler takes that has not settled, besides its arguments. */
const HANDLER_BYTES = 500;

/** A replay is muted for this long at most. */
const REPLAY_LIMIT_MS = 10_000;

/**
 * What a socket does, behind its public face.
 *
 * connecting (in middlewares) --> connected --> closed
 *
 * connected: resumed                      listeners are there
 *            loaded --> resuming --> resumed   its state is there; the `connection` listeners run again, muted
 */
export class SocketState implements TrackedOwner, MemberState {
  readonly socket: AnySocket;
  readonly isRecovered: boolean;
  readonly inbox: Inbox;
  readonly outgoing = new CatchAll();
  phase: "connecting" | "connected" | "closed" = "connecting";
  wake: "resumed" | "loaded" | "resuming" = "resumed";
  readonly core: Core;
  readonly #nsp: AnyNamespace;
  readonly #client: Client;
  readonly #member: SocketMember;
  #kept: KeptValues | undefined;
  #acks: PendingAcks | undefined;
  /** Its listeners of `disconnecting` are at work: they may disconnect all of a room, and so itself. */
  #isClosing = false;
  /** What its rooms take, and its `auth` where no record of it is written, as far as that is counted. */
  #bytes = 0;
  #authBytes: number | undefined;
  /** `connection` listeners that have not settled. */
  #settingUp = 0;
  /** `once` listeners that a replay leaves out, by event. */
  #fired: Map<string, number> | undefined;

  constructor(
    socket: AnySocket,
    nsp: AnyNamespace,
    client: Client,
    member: SocketMember,
    origin: SocketOrigin,
  ) {
    this.socket = socket;
    this.isRecovered = origin !== "new";
    this.core = nsp._core;
    this.#nsp = nsp;
    this.#client = client;
    this.#member = member;
    this.inbox = new Inbox(this, nsp, client);
    member.state = this;
    if (origin === "loaded") {
      this.phase = "connected";
      this.wake = "loaded";
    }
    // Its own properties have to be there before anybody looks.
    if (member.record?.kept?.own) void this.kept;
  }

  /** What user code puts on the socket. */
  get kept(): KeptValues {
    this.#kept ??= new KeptValues(this, this.socket, this.#client.conn, this.#member);
    return this.#kept;
  }

  /** `connection` listeners are at work. */
  get isSettingUp(): boolean {
    return this.#settingUp > 0;
  }

  /** They have run in this instance. */
  get isResumed(): boolean {
    return this.wake === "resumed";
  }

  /** Sends an event. `onGone`: how to say that the client left before it answered. */
  emit(data: unknown[], ack?: AckCallback, flags?: BroadcastFlags, onGone?: (error: Error) => void): void {
    const { recovery, parser } = this.core;
    this.checkInstance();
    if (ack === undefined && this.core.isMuted) return;
    if (ack !== undefined && this.phase === "closed" && flags?.timeout === undefined) {
      onGone?.(new Error("socket has been disconnected"));
      return;
    }
    const packet: SocketPacket = { type: EVENT, nsp: this.#nsp.name, data };
    if (ack !== undefined) {
      packet.id = this.#nsp._nextAckId();
      const frames = parser.encode(packet);
      this.#acks ??= new PendingAcks(this.core, this.#client);
      this.#acks.add(packet.id, ack, flags?.timeout, onGone);
      this.notifyOutgoing(data);
      if (this.phase !== "closed") this.#client.conn.sendFrames(frames, flags);
      return;
    }
    if (this.phase === "closed") {
      // As on Node: its client, who is away, will have missed it; or it has come back, and has it.
      if (flags?.volatile || !recovery?.isAwaited(this.#member)) return;
      this.#nsp.adapter.broadcast(packet, { rooms: new Set([this.#member.id]), flags });
      return;
    }
    this.notifyOutgoing(data);
    const frames =
      this.phase === "connected"
        ? encodeEvent(this.core, packet, flags, [this.#member.id])
        : parser.encode(packet);
    // Sent or not: a connection that is over, and whose end has yet to be heard, has missed it.
    this.#client.conn.sendFrames(frames, flags);
  }

  notifyOutgoing(data: unknown[]): void {
    if (this.outgoing.size > 0) this.outgoing.notify(this.socket, data, this.core.onError);
  }

  /** @throws Error when the socket is used outside its instance */
  checkInstance(): void {
    this.core.host.checkInstance("a socket", this.#nsp.name);
  }

  join(rooms: Set<Room>): Promise<void> | void {
    return this.changeRooms(() => {
      const { maxRooms } = this.core.options;
      const own = this.#member.rooms;
      const mayBeMany = own.size + rooms.size > maxRooms;
      if (mayBeMany && new Set([...own, ...rooms]).size > Math.max(own.size, maxRooms)) {
        throw new Error(`a socket may be in ${maxRooms} rooms; let it leave some, or raise maxRooms`);
      }
      return this.#nsp.adapter.addAll(this.#member.id, rooms);
    });
  }

  changeRooms(change: () => Promise<void> | void): Promise<void> | void {
    this.checkInstance();
    if (this.phase === "closed" || this.core.isMuted) return;
    const done = change();
    this.#count();
    // An adapter that takes its time may have rooms of its own.
    if (isThenable(done)) return Promise.resolve(done).then(() => this.markDirty());
  }

  addMiddleware(fn: EventMiddleware): void {
    this.#admitLate("a middleware of a socket");
    this.inbox.middlewares.push(fn);
  }

  addCatchAll(to: CatchAll, listener: AnyListener, prepend: boolean): void {
    this.#admitLate("a catch-all listener of a socket");
    to.add(listener, prepend);
  }

  /** A listener is about to be added. A replay leaves out `once` listeners that had fired. */
  admit(event: string | symbol, isOnce: boolean): Admission {
    if (this.#settingUp === 0)
      return this.#admitLate(`a "${String(event)}" listener that is added to a socket late`);
    if (!isOnce) return "add";
    const key = String(event);
    const left = this.#fired?.get(key) ?? 0;
    if (left === 0) return "track";
    this.#fired?.set(key, left - 1);
    return "skip";
  }

  onceFired(event: string | symbol): void {
    const { record } = this.#member;
    if (record === undefined || this.phase !== "connected" || !this.core.host.hibernation) return;
    const key = String(event);
    // An event may be called like a member of every object, "constructor" for one.
    const fired = new Map(Object.entries(record.fired ?? {}));
    record.fired = Object.fromEntries(fired.set(key, (fired.get(key) ?? 0) + 1));
    this.markDirty();
  }

  /** The namespace took the socket: its client is told, and it receives from now on. */
  connect(): void {
    const { id, record } = this.#member;
    this.phase = "connected";
    this.core.attempt("addAll", () => this.#nsp.adapter.addAll(id, new Set([id])));
    const data = record?.pid === undefined ? { sid: id } : { sid: id, pid: record.pid };
    const isOld = this.#client.conn.protocol === 3;
    this.#client._tell({ type: CONNECT, nsp: this.#nsp.name, data: isOld ? undefined : data });
    if (!this.core.host.hibernation) this.#count();
    this.markDirty();
  }

  /** Runs the `connection` listeners. */
  announce(): void {
    const done = this.#runConnectionListeners();
    if (done !== undefined) this.#lookAfter(done, 0);
  }

  /** Runs the `connection` listeners again, muted: what they do to the outside was done the first time. */
  async resume(): Promise<void> {
    if (this.wake !== "loaded") return;
    this.wake = "resuming";
    this.#fired = new Map(Object.entries(this.#member.record?.fired ?? {}));
    await this.core.host.mute.run(() => this.#runConnectionListeners(), REPLAY_LIMIT_MS);
    this.wake = "resumed";
  }

  onPacket(packet: SocketPacket): void {
    if (this.phase !== "connected") return;
    const { type } = packet;
    if (type === EVENT || type === BINARY_EVENT) this.inbox.receive(packet);
    else if (type === DISCONNECT) this.close("client namespace disconnect");
    else this.onAck(packet);
  }

  /** An answer needs no listeners: it is taken at any time. */
  onAck({ id, data }: SocketPacket): void {
    if (id === undefined) return;
    const args = Array.isArray(data) ? data : [];
    if (!this.#acks?.answer(id, args)) this.#nsp._onBroadcastAck(id, this.#member.id, args[0]);
  }

  onError(error: unknown): void {
    EventEmitter.dispatch(this.socket, ["error", error], this.core.onError);
  }

  close(reason: DisconnectReason, description?: unknown): void {
    if (this.phase !== "connected" || this.#isClosing) return;
    this.#isClosing = true;
    this.core.tellEnd(() => this.run(["disconnecting", reason, description]));
    this.core.attempt("persistSession", () => {
      const { id, rooms } = this.#member;
      const pid = this.core.recovery?.persistSession(this.#member, reason);
      const { data } = this.kept;
      return pid && this.#nsp.adapter.persistSession({ sid: id, pid, rooms: [...rooms], data });
    });
    this.cleanUp();
    this.#client._remove(this.#member);
    this.core.attempt("acknowledgement", () => this.#nsp._onGone(this.#member.id));
    this.core.tellEnd(() => this.run(["disconnect", reason, description]));
  }

  /** Leaves rooms and namespace; waits for nothing any more. */
  cleanUp(): void {
    if (this.phase === "closed") return;
    const nsp = this.#nsp;
    this.core.attempt("delAll", () => nsp.adapter.delAll(this.#member.id));
    nsp._rooms.drop(this.#member);
    nsp._remove(this.#member);
    this.#member.rooms = new Set();
    this.phase = "closed";
    this.#count();
    this.#acks?.abandon();
    this.inbox.close();
    this.#kept?.forget();
  }

  /** The client of a socket that has ended, and who has not come back, may not do so. */
  forget(): void {
    if (this.phase === "closed" && !this.#nsp._rooms.members.has(this.#member.id))
      this.core.recovery?.forget(this.#member);
  }

  #count(): void {
    const before = this.#bytes;
    this.#bytes = ROOM_BYTES * this.#member.rooms.size;
    if (this.phase === "connected" && !this.core.host.hibernation) {
      this.#authBytes ??= estimateMemory(this.#member.record?.auth);
      this.#bytes += this.#authBytes;
    }
    this.#client.conn.account.add(this.#bytes - before);
  }

  toKept(): KeptRecord | undefined {
    // Where a getter throws, what was stored last has to do.
    const stored = this.#member.record?.kept;
    if (this.#kept === undefined) return stored;
    const kept = this.core.attempt("socket.data", () => this.#kept?.record());
    if (kept === undefined) return stored;
    return Object.keys(kept).length === 0 ? undefined : kept;
  }

  /** Looks for what no proxy saw: its handlers may hold a Map that they were given long ago. */
  findChanges(): void {
    this.#kept?.findChanges();
    this.#client._findChanges();
  }

  markDirty(): void {
    // What is left of it is saved when it has closed.
    if (this.phase !== "connected" || this.#isClosing) return;
    this.#client.conn.changed();
    this.core.recovery?.markDirty(this.#member);
  }

  #admitLate(what: string): Admission {
    if (this.#settingUp > 0 || this.phase === "closed") return "add";
    return this.core.admitLate(what, "add it in the connection listener");
  }

  #runConnectionListeners(): Promise<void> | undefined {
    this.#settingUp++;
    const first = EventEmitter.dispatch(this.#nsp, ["connect", this.socket], this.core.onError) ?? [];
    const second = EventEmitter.dispatch(this.#nsp, ["connection", this.socket], this.core.onError) ?? [];
    const promises = [...first, ...second];
    if (promises.length > 0) return this.#whenSettled(promises).then(() => void this.#settingUp--);
    this.#settingUp--;
    this.core.onSettled(this);
  }

  /** Runs the listeners of an event, and looks after them until they have settled. */
  run(args: readonly unknown[]): void {
    const promises = EventEmitter.dispatch(this.socket, args, this.core.onError);
    if (promises === undefined) {
      if (this.#kept !== undefined || !this.core.escaped.isEmpty) this.core.onSettled(this);
      return;
    }
    this.#lookAfter(this.#whenSettled(promises), estimateMemory(args));
  }

  async #whenSettled(promises: readonly unknown[]): Promise<void> {
    this.core.escaped.handlerStarted();
    await Promise.all(promises);
    this.core.escaped.handlerEnded();
    this.core.onSettled(this);
  }

  /** Keeps the object awake for listeners that have not settled, within the limit. */
  #lookAfter(done: Promise<void>, bytes: number): void {
    const { awake } = this.core;
    const hold = awake.hold(this.#client, false, HANDLER_BYTES + bytes);
    done.then(() => awake.release(hold));
  }
}
