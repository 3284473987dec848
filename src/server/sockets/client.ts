import type { SocketPacket } from "../../codec/index.ts";
import { ACK, BINARY_ACK, CONNECT, CONNECT_ERROR, DISCONNECT } from "../../codec/socket-packet.ts";
import { type EngineRequest, toQuery } from "../../engine/request.ts";
import type { Session } from "../../engine/session.ts";
import type { SessionConsumer } from "../../engine/session-ports.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import type { AnyServer } from "../api/server.ts";
import type { AnySocket } from "../api/socket.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import type { Core } from "../core.ts";
import type { TrackedOwner } from "../state/change-tracker.ts";
import { Overlay } from "../state/overlay.ts";
import { fromStored, type SocketRecord, toClientRecord } from "../state/records.ts";
import { Connecting } from "./connecting.ts";
import { toDecodeError } from "./decode-error.ts";
import { HeldPackets } from "./held-packets.ts";
import { findNamespace, readNamespace, toFault, toRefusal } from "./namespace-lookup.ts";
import { PacketReader } from "./packet-reader.ts";
import type { SocketMember } from "./socket-member.ts";

/** A promise that is settled: what follows it runs when the code at hand is done. (`queueMicrotask` costs 5 us here.) */
const SETTLED = Promise.resolve();

/** Each is an answer that may have to wait; nobody means to ask so often. */
const MOST_REFUSALS = 10_000;

/**
 * The namespaces of one connection: takes its packets apart, hands them to sockets, and speaks for these to the session.
 *
 * message --> decoded at once --> queue --> (the code at hand is done) --> dispatched in order of arrival
 *                                             socket loaded: held until its listeners are registered again
 * wrong packet, or one for a namespace that it is not in --> the connection is closed
 */
export class Client implements SessionConsumer {
  readonly conn: Session;
  readonly #core: Core;
  readonly #reader: PacketReader;
  /** Once somebody has looked at the request. */
  #request: Overlay<EngineRequest> | undefined;
  /** What an earlier instance kept of it. */
  readonly #storedRequest: Record<string, unknown> | undefined;
  readonly #members = new Map<string, SocketMember>();
  /** @internal */
  readonly _connecting: Connecting;
  readonly #queue: SocketPacket[] = [];
  readonly #held: HeldPackets;
  readonly #drain: () => void;
  #isDraining = false;
  #refusals = 0;
  #hasJoined = false;
  /** Namespaces that were left just now: what had come for them by then is for nobody, as on Node. */
  #left: Set<string> | undefined;
  /** Why its sockets end, where the end of the connection only follows from it. */
  #leaving: DisconnectReason | undefined;
  #isClosed = false;
  /** Handlers of `disconnect` that have to be registered again first. */
  #closing: Promise<void> | undefined | void;
  #busy = 0;

  constructor(core: Core, conn: Session, sockets?: readonly SocketRecord[]) {
    this.conn = conn;
    this.#core = core;
    this._connecting = new Connecting(core.awake, this, this.#members);
    this.#held = new HeldPackets(conn.account);
    const enqueue = (packet: SocketPacket) => this.#enqueue(packet);
    const close = (why: Error) => void this.close(why);
    this.#reader = new PacketReader(conn, core.parser, core.host.timers, close, enqueue);
    this.#drain = () => this.#dispatchQueue();
    const record = conn.recovered ? fromStored(conn.stored) : undefined;
    this.#storedRequest = record?.request;
    const known = sockets ?? record?.sockets;
    if (known === undefined) return;
    this.#hasJoined = true;
    for (const member of core.rooms.load(this, known)) this.#members.set(member.nsp, member);
    if (record?.pending !== undefined) this.#reader.restore(record.pending);
  }

  /** The session's id: a secret of this client. */
  get id(): string {
    return this.conn.id;
  }

  get server(): AnyServer {
    return this.#core.server;
  }

  get request(): EngineRequest {
    return this.conn.request;
  }

  keepRequest(request: EngineRequest): EngineRequest {
    const { method, url, headers, socket, connection } = request;
    const states = () => Array.from(this.#members.values(), ({ state }) => state);
    const owner: TrackedOwner = {
      core: this.#core,
      get isSettingUp() {
        return states().some((state) => state?.isSettingUp);
      },
      get isResumed() {
        return states().every((state) => state?.isResumed);
      },
      markDirty: () => this.conn.changed(),
    };
    const create = () => ({ method, url, headers, socket, connection, _query: toQuery(url) });
    this.#request = new Overlay(owner, "socket.request", create, this.#storedRequest);
    return this.#request.value;
  }

  /** Its sockets by id. */
  get sockets(): Map<string, AnySocket> {
    return new Map([...this.nsps.values()].map((socket) => [socket.id, socket]));
  }

  /** Its sockets by namespace. */
  get nsps(): Map<string, AnySocket> {
    const sockets = new Map<string, AnySocket>();
    for (const [nsp, member] of this.#members) {
      const socket = this.#core.socketOf(member);
      if (socket !== undefined) sockets.set(nsp, socket);
    }
    return sockets;
  }

  message(data: string | Uint8Array): void {
    if (this.#isClosed) return;
    let packet: SocketPacket | undefined;
    try {
      packet = this.#reader.read(data);
    } catch (error) {
      this.#onDecodeError(toDecodeError(error, data));
      return;
    }
    if (packet !== undefined) this.#enqueue(packet);
  }

  closed(reason: DisconnectReason, description?: unknown): Promise<void> | void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#core.attempt("parser", () => this.#reader.stop());
    this.#core.escaped.forget(this.#request);
    this._connecting.close();
    const why = this.#leaving ?? reason;
    const members = [...this.#members.values()];
    this.#core.recovery?.onEnding(members, why);
    this.#closing = this.#closeInOrder(members, why, description);
    return this.#closing;
  }

  drop(): void {
    this.#held.drop();
  }

  record(): unknown {
    if (!this.#hasJoined) return undefined;
    const records = [];
    for (const member of this.#members.values()) {
      // Who was told to leave is not there again for an instance that comes after a crash.
      const record = member.isLeaving ? undefined : member.toRecord();
      if (record !== undefined) records.push(record);
    }
    const request = this.#request === undefined ? this.#storedRequest : this.#request.record();
    return toClientRecord(records, request);
  }

  isBusy(): boolean {
    return this.#busy > 0;
  }

  /** No namespace was joined yet: `connectTimeout` counts. */
  isIdle(): boolean {
    return !this.#hasJoined;
  }

  /** Clients of Socket.IO v2 are in the main namespace from the start. */
  onOpen(): void {
    if (this.conn.protocol === 3) this.#connect("/", undefined);
  }

  /** Closes the connection, whatever its transport has still to say. `why`: where it was no wish of the user's code. */
  close(why?: Error): Promise<void> | void {
    if (this.conn.readyState === "open") this.conn.close(false, why);
    this.closed("forced server close", why);
    return this.#closing;
  }

  /** @internal */
  _send(packet: SocketPacket): void {
    this.conn.sendFrames(this.#core.parser.encode(packet));
  }

  /** Sends what is ours to say, in the middle of work that has to be done to its end. @internal */
  _tell(packet: SocketPacket): void {
    this.#core.attempt("parser", () => this._send(packet));
  }

  /** The server lets one socket go. @internal */
  _leave(member: SocketMember): void {
    this.#dismiss(member);
    const { state } = member;
    // Its own listener says so while it is being registered again: the others have to wait.
    if (state?.wake === "resuming") state.close("server namespace disconnect");
    else this.#whenResumed(member, (it) => it.close("server namespace disconnect"));
  }

  /** The server lets all its sockets go, and the connection. @internal */
  _disconnect(): void {
    this.#leaving = "server namespace disconnect";
    for (const member of this.#members.values()) this.#dismiss(member);
    for (const { state } of [...this.#members.values()])
      if (state?.wake === "resuming") state.close(this.#leaving);
    this.close();
  }

  /** Tells the client, once: what the socket's own listeners hear may have to wait. */
  #dismiss(member: SocketMember): void {
    if (!member.isLeaving) this._tell({ type: DISCONNECT, nsp: member.nsp });
    this.#letGo(member);
  }

  /** It may not come back, neither by recovery nor after a crash, however long its listeners take to hear of it. */
  #letGo(member: SocketMember): void {
    member.isLeaving = true;
    this.conn.changed();
    this.#core.recovery?.forget(member);
  }

  /** The server ends: a socket closes without a packet. @internal */
  _shutDown(member: SocketMember): Promise<void> | void {
    return this.#whenResumed(member, (state) => state.close("server shutting down"));
  }

  /** A namespace took one of its sockets, in place of another that its client has let go of. @internal */
  _join(member: SocketMember): void {
    this.#hasJoined = true;
    this.#members.get(member.nsp)?.state?.close("client namespace disconnect");
    this.#members.set(member.nsp, member);
    this._connecting.count();
  }

  /** @internal */
  _remove(member: SocketMember): void {
    if (this.#members.get(member.nsp) === member) this.#members.delete(member.nsp);
    this._connecting.count();
    this.#left ??= new Set();
    this.#left.add(member.nsp);
    this.conn.changed();
  }

  /** The code of today has no such namespace: the socket ends, and the others do not notice. @internal */
  _dropUnknown(member: SocketMember): void {
    this.#core.warnOnce(
      `namespace "${member.nsp}" has sockets and does not exist; create it in the setup function`,
    );
    this._tell({ type: DISCONNECT, nsp: member.nsp });
    this.#core.rooms.of(member.nsp).drop(member);
    this._remove(member);
  }

  /** @internal */
  _findChanges(): void {
    this.#request?.compare();
  }

  /** @internal */
  _addBusy(count: 1 | -1): void {
    const wasBusy = this.isBusy();
    this.#busy += count;
    // A WebSocket does not outlive a restart anyway.
    if (this.isBusy() !== wasBusy && this.conn.transport.name === "polling") this.conn.changed();
  }

  #enqueue(packet: SocketPacket): void {
    this.#queue.push(packet);
    if (this.#queue.length === 1 && !this.#isDraining) SETTLED.then(this.#drain);
  }

  #dispatchQueue(): void {
    this.#isDraining = true;
    if (this.#held.isEmpty) this.#left = undefined;
    for (const packet of this.#queue) this.#core.attempt("packet", () => this.#dispatch(packet));
    this.#queue.length = 0;
    this.#isDraining = false;
  }

  #dispatch(packet: SocketPacket): void {
    if (this.#isClosed) return;
    const leaving = packet.type === DISCONNECT ? this.#members.get(packet.nsp) : undefined;
    if (leaving !== undefined) this.#letGo(leaving);
    if (isAnswer(packet)) this.#route(packet);
    else this.#routeInOrder(packet);
  }

  /** While listeners of one of the connection's sockets are being registered again, its packets wait. */
  #routeInOrder(packet: SocketPacket): void {
    const holder = this.#findHolder();
    if (holder === undefined) this.#route(packet);
    else
      this.#held.hold(
        packet,
        (run) => holder.push(run),
        // The wait is over; another socket of the connection may have begun one of its own.
        (it) => this.#routeInOrder(it),
      );
  }

  /** Where packets wait while listeners of one of its sockets are being registered again. */
  #findHolder(): (() => void)[] | undefined {
    for (const { held } of this.#members.values()) if (held !== undefined) return held;
    return undefined;
  }

  #route(packet: SocketPacket): void {
    const { nsp, auth } = readNamespace(packet, this.conn.protocol);
    const member = this.#members.get(nsp);
    const isConnect = packet.type === CONNECT;
    // Who has not spoken yet let go of a first attempt before it heard the answer, says nothing of that, and starts again.
    if (isConnect && !member?.hasSpoken) {
      if (!this.#isClosed) this.#connect(nsp, auth);
      return;
    }
    if (member === undefined || isConnect || packet.type === CONNECT_ERROR) {
      if (!this.#left?.has(nsp)) this.close(toFault(packet, member !== undefined));
      return;
    }
    member.hasSpoken = true;
    const { state } = member;
    if (state?.wake === "resumed") state.onPacket(packet);
    else if (isAnswer(packet)) this.#core.stateOf(member)?.onAck(packet);
    else
      this.#held.hold(
        packet,
        (run) => this.#core.afterResume(member, run),
        (it) => member.state?.onPacket(it),
      );
  }

  /** One after the other, in the order in which they joined. At once, as far as they are all resumed. */
  #closeInOrder(
    members: SocketMember[],
    reason: DisconnectReason,
    description: unknown,
  ): Promise<void> | void {
    for (const [index, member] of members.entries()) {
      const done = this.#whenResumed(member, (state) => state.close(reason, description));
      if (done === undefined) continue;
      return done.then(() => this.#closeInOrder(members.slice(index + 1), reason, description));
    }
  }

  #whenResumed(member: SocketMember, action: Parameters<Core["afterResume"]>[1]): Promise<void> | void {
    if (member.state?.wake === "resumed" && member.held === undefined) action(member.state);
    else return this.#core.afterResume(member, action);
  }

  #connect(name: string, auth: unknown): void {
    // A second CONNECT while the first is answered: one answer is enough.
    if (this._connecting.has(name)) return;
    const count = this.#members.size + this._connecting.size;
    const refusal = toRefusal(this.#core.options, count, name, auth);
    if (refusal !== undefined) {
      this.#refuse(name, refusal);
      return;
    }
    const enter = async (nsp: AnyNamespace | undefined) => {
      try {
        if (this.#isClosed) return;
        const done = nsp === undefined ? this.#refuse(name, "Invalid namespace") : nsp._add(this, auth);
        if (done !== undefined) await done;
      } catch (error) {
        this.#core.onError(error, "connect");
      } finally {
        this._connecting.end(name);
      }
    };
    // Comes before what marks the session as busy: most clients are in by then, and nothing is written for it.
    SETTLED.then(() => findNamespace(this.#core, name, auth, enter));
    this._connecting.begin(name, auth);
  }

  #refuse(nsp: string, message: string): void {
    if (++this.#refusals > MOST_REFUSALS) {
      this.conn.account.end(`more than ${MOST_REFUSALS} CONNECTs were refused`);
      return;
    }
    this._send({ type: CONNECT_ERROR, nsp, data: { message } });
  }

  #onDecodeError(error: unknown): void {
    // Of a socket that sleeps the listeners are registered again first; its end waits for that, too.
    for (const member of this.#members.values()) this.#whenResumed(member, (state) => state.onError(error));
    this.conn.close(false, error instanceof Error ? error : undefined);
  }
}

function isAnswer({ type }: SocketPacket): boolean {
  return type === ACK || type === BINARY_ACK;
}
