import type { SocketPacket } from "../../codec/index.ts";
import { CONNECT } from "../../codec/socket-packet.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import type { ServerContext } from "../context.ts";
import type { NamespaceState } from "../namespaces/namespace-state.ts";
import { KeptValues } from "../state/kept-values.ts";
import type { KeptRecord } from "../state/records.ts";
import type { TrackedOwner } from "../state/replay-tracker.ts";
import { Handlers } from "./handlers.ts";
import { Inbox } from "./inbox.ts";
import type { SocketOrigin } from "./member-loader.ts";
import { Outbox } from "./outbox.ts";
import { Registrations } from "./registrations.ts";
import type { LocalSocket, MemberConnection, SocketMember } from "./socket-member.ts";
import { SocketRooms } from "./socket-rooms.ts";
import type { SocketScope } from "./socket-scope.ts";

/**
 * The life of a socket, behind its public face. What it does meanwhile is in its parts.
 *
 * connecting (in middlewares) --> connected --> closed
 *
 * connected: resumed                           its listeners are there
 *            loaded --> resuming --> resumed   its state is there; the `connection` listeners run again, muted
 */
export class SocketState implements SocketScope, TrackedOwner {
  readonly socket: LocalSocket;
  readonly nsp: NamespaceState;
  readonly connection: MemberConnection;
  readonly member: SocketMember;
  readonly isRecovered: boolean;
  readonly handlers = new Handlers(this);
  readonly registrations = new Registrations(this);
  readonly rooms = new SocketRooms(this);
  readonly outbox = new Outbox(this);
  readonly inbox = new Inbox(this, this.handlers);
  phase: "connecting" | "connected" | "closed" = "connecting";
  #stage: "resumed" | "loaded" | "resuming" = "resumed";
  #kept: KeptValues | undefined;
  /** Its `disconnecting` listeners are running. They may disconnect a whole room, and this socket with it. */
  #isClosing = false;

  constructor(
    socket: LocalSocket,
    nsp: NamespaceState,
    connection: MemberConnection,
    member: SocketMember,
    origin: SocketOrigin,
  ) {
    this.socket = socket;
    this.nsp = nsp;
    this.connection = connection;
    this.member = member;
    this.isRecovered = origin !== "new";
    member.state = this;
    if (origin === "loaded") {
      this.phase = "connected";
      this.#stage = "loaded";
    }
    // The properties that user code gave it have to be there before anybody looks.
    if (member.record?.kept?.own) void this.kept;
  }

  get context(): ServerContext {
    return this.nsp.context;
  }

  /** What user code puts on the socket. */
  get kept(): KeptValues {
    this.#kept ??= new KeptValues(this, this.socket, this.connection.conn, this.member);
    return this.#kept;
  }

  get hasKeptValues(): boolean {
    return this.#kept !== undefined;
  }

  get isSettingUp(): boolean {
    return this.handlers.isSettingUp;
  }

  get isResumed(): boolean {
    return this.#stage === "resumed";
  }

  get isResuming(): boolean {
    return this.#stage === "resuming";
  }

  checkInstance(): void {
    this.context.host.checkInstance("a socket", this.nsp.name);
  }

  connect(): void {
    const { id, record } = this.member;
    this.phase = "connected";
    this.context.diagnostics.attempt("addAll", () => this.nsp.adapter.addAll(id, new Set([id])));
    const data = record?.pid === undefined ? { sid: id } : { sid: id, pid: record.pid };
    const isOld = this.connection.conn.protocol === 3;
    this.connection.sendSafely({ type: CONNECT, nsp: this.nsp.name, data: isOld ? undefined : data });
    if (!this.context.host.hibernation) this.rooms.count();
    this.markDirty();
    this.handlers.announce();
  }

  async resume(): Promise<void> {
    if (this.#stage !== "loaded") return;
    this.#stage = "resuming";
    this.registrations.onReplay();
    await this.handlers.replay();
    this.#stage = "resumed";
  }

  onAck(packet: SocketPacket): void {
    this.outbox.onAck(packet);
  }

  onError(error: unknown): void {
    EventEmitter.dispatch(this.socket, ["error", error], this.context.diagnostics.onError);
  }

  notifyOutgoing(data: unknown[]): void {
    // Each receiver of a broadcast passes here, and few have such listeners.
    if (this.outbox.catchAll.size > 0) this.outbox.notify(data);
  }

  close(reason: DisconnectReason, description?: unknown): void {
    if (this.phase !== "connected" || this.#isClosing) return;
    this.#isClosing = true;
    const { context, nsp, member } = this;
    context.runDisconnecting(() => this.handlers.run(["disconnecting", reason, description]));
    context.diagnostics.attempt("persistSession", () => {
      const { id, rooms } = member;
      const pid = context.recovery?.persistSession(member, reason);
      const { data } = this.kept;
      return pid && nsp.adapter.persistSession({ sid: id, pid, rooms: [...rooms], data });
    });
    this.cleanUp();
    this.connection.onLeft(member);
    context.diagnostics.attempt("acknowledgement", () => nsp.acks.onGone(member.id));
    context.runDisconnecting(() => this.handlers.run(["disconnect", reason, description]));
  }

  cleanUp(): void {
    if (this.phase === "closed") return;
    const { nsp, member } = this;
    this.context.diagnostics.attempt("delAll", () => nsp.adapter.delAll(member.id));
    nsp.rooms.drop(member);
    nsp.remove(member);
    member.rooms = new Set();
    this.phase = "closed";
    this.rooms.count();
    this.outbox.close();
    this.inbox.close();
    this.#kept?.forget();
  }

  /** Server code disconnects a socket that has ended already: its client may not come back to it. */
  forget(): void {
    const { members } = this.nsp.rooms;
    if (this.phase === "closed" && !members.has(this.member.id)) this.context.recovery?.forget(this.member);
  }

  toKept(): KeptRecord | undefined {
    // Where a getter of user code throws, what was stored last has to be enough.
    const stored = this.member.record?.kept;
    if (this.#kept === undefined) return stored;
    const kept = this.context.diagnostics.attempt("socket.data", () => this.#kept?.record());
    if (kept === undefined) return stored;
    return Object.keys(kept).length === 0 ? undefined : kept;
  }

  findChanges(): void {
    this.#kept?.findChanges();
    this.connection.findChanges();
  }

  markDirty(): void {
    // What is left of a socket that is closing is saved when it has closed.
    if (this.phase !== "connected" || this.#isClosing) return;
    this.connection.conn.changed();
    this.context.recovery?.markDirty(this.member);
  }
}
