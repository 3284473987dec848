import { CodecError, type SocketPacket } from "../../codec/index.ts";
import { ACK, DISCONNECT, EVENT } from "../../codec/socket-packet.ts";
import type { EndCode } from "../../engine/end-codes.ts";
import type { EngineRequest } from "../../engine/request.ts";
import type { Session } from "../../engine/session.ts";
import type { SessionConsumer } from "../../engine/session-ports.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import type { ServerContext } from "../context.ts";
import type { Overlay } from "../state/overlay.ts";
import { fromStored, type SocketRecord, toClientRecord } from "../state/records.ts";
import { Connecting, type Namespaces } from "./connecting.ts";
import { toDecodeError } from "./decode-error.ts";
import { keepRequest } from "./kept-request.ts";
import { PacketDispatcher } from "./packet-dispatcher.ts";
import type { Decoder } from "./parser.ts";
import { PartialPacket } from "./partial-packet.ts";
import type { LocalSocket, MemberConnection, SocketMember } from "./socket-member.ts";

/** Creates the connection of a session, which gets all messages of the client from then on. */
export function openConnection(context: ServerContext, namespaces: Namespaces, session: Session): Connection {
  const connection = new Connection(context, namespaces, session);
  session.consumer = connection;
  return connection;
}

/**
 * The sockets of one session: one for each namespace that the client has joined.
 *
 * message --> decoded at once --> PacketDispatcher: queued, and dispatched to sockets
 *                            `--> PartialPacket: the rest is waited for         `--> Connecting: a CONNECT
 */
export class Connection implements SessionConsumer, MemberConnection {
  readonly conn: Session;
  /** By namespace. */
  readonly members = new Map<string, SocketMember>();
  readonly #context: ServerContext;
  readonly #decoder: Decoder;
  readonly #partial: PartialPacket;
  readonly #dispatcher: PacketDispatcher;
  readonly #connecting: Connecting;
  /** Made when user code looks at it. */
  #request: Overlay<EngineRequest> | undefined;
  /** What user code changed in the request in an earlier instance. */
  readonly #storedRequest: Record<string, unknown> | undefined;
  #hasJoined = false;
  #isClosed = false;
  /** Why its sockets end, where user code ends the connection and the reason of the session would be another. */
  #reason: DisconnectReason | undefined;
  /** Settles when the last `disconnect` listeners were called: they may have to be registered again before. */
  #closing: Promise<void> | undefined | void;
  #busy = 0;

  constructor(
    context: ServerContext,
    namespaces: Namespaces,
    conn: Session,
    sockets?: readonly SocketRecord[],
  ) {
    this.conn = conn;
    this.#context = context;
    this.#connecting = new Connecting(context, namespaces, this);
    this.#dispatcher = new PacketDispatcher(this, context);
    const { parser } = context;
    this.#decoder = parser.createDecoder((packet) => this.#onDecoded(packet));
    const onLate = () => void this.close("PACKET_INCOMPLETE");
    this.#partial = new PartialPacket(conn, this.#decoder, parser.isForeign, context.host.timers, onLate);
    const record = conn.recovered ? fromStored(conn.stored) : undefined;
    this.#storedRequest = record?.request;
    const known = sockets ?? record?.sockets;
    if (known === undefined) return;
    this.#hasJoined = true;
    for (const member of context.rooms.load(this, known)) this.members.set(member.nsp, member);
    if (record?.pending !== undefined) this.#partial.restore(record.pending);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Its sockets by namespace, loaded if necessary. */
  loadSockets(): Map<string, LocalSocket> {
    const sockets = new Map<string, LocalSocket>();
    for (const [nsp, member] of this.members) {
      const socket = this.#context.loader.loadSocket(member);
      if (socket !== undefined) sockets.set(nsp, socket);
    }
    return sockets;
  }

  /** The session is open. Clients of Socket.IO v2 are in the main namespace from the start. */
  onOpen(): void {
    if (this.conn.protocol === 3) this.connect("/", undefined);
  }

  /** The session has been brought into memory. */
  onLoaded(): void {
    // This may end the session and run `disconnect` listeners, so the constructor is too early for it.
    this.#connecting.count();
  }

  keepRequest(request: EngineRequest): EngineRequest {
    this.#request = keepRequest(request, this.conn, this.#context, this.members, this.#storedRequest);
    return this.#request.value;
  }

  message(data: string | Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#partial.load();
      const packet = this.#decoder.add(data);
      if (packet === undefined) {
        this.#partial.awaitRest(data);
        return;
      }
      refuseEmpty(packet);
      this.#partial.complete();
      this.#dispatcher.enqueue(packet);
    } catch (error) {
      this.#onDecodeError(toDecodeError(error, data));
    }
  }

  closed(reason: DisconnectReason, description?: unknown): Promise<void> | void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context.diagnostics.attempt("parser", () => this.#partial.discard());
    this.#context.escaped.forget(this.#request);
    this.#connecting.close();
    const why = this.#reason ?? reason;
    const members = [...this.members.values()];
    this.#context.recovery?.onEnding(members, why);
    this.#closing = this.#closeInOrder(members, why, description);
    return this.#closing;
  }

  drop(): void {
    this.#dispatcher.drop();
  }

  record(): unknown {
    if (!this.#hasJoined) return undefined;
    const records = [];
    for (const member of this.members.values()) {
      // When the object restarts before a dismissed socket has left, that socket must not come back.
      const record = member.isLeaving ? undefined : member.toRecord();
      if (record !== undefined) records.push(record);
    }
    const request = this.#request === undefined ? this.#storedRequest : this.#request.record();
    return toClientRecord(records, request);
  }

  isBusy(): boolean {
    return this.#busy > 0;
  }

  isIdle(): boolean {
    return !this.#hasJoined;
  }

  connect(nsp: string, auth: unknown): void {
    this.#connecting.connect(nsp, auth);
  }

  close(code: EndCode, why?: Error): Promise<void> | void {
    if (this.conn.readyState === "open") this.conn.finish(code, why);
    this.closed("forced server close", why);
    return this.#closing;
  }

  send(packet: SocketPacket): void {
    this.conn.sendFrames(this.#context.parser.encode(packet));
  }

  sendSafely(packet: SocketPacket): void {
    this.#context.diagnostics.attempt("parser", () => this.send(packet));
  }

  leave(member: SocketMember): void {
    this.#dismiss(member);
    const { state } = member;
    // When a listener that is being registered again disconnects its own socket, that cannot wait for the others.
    if (state?.isResuming) state.close("server namespace disconnect");
    else this.#context.loader.whenResumed(member, (it) => it.close("server namespace disconnect"));
  }

  disconnect(): void {
    this.#reason = "server namespace disconnect";
    for (const member of this.members.values()) this.#dismiss(member);
    for (const { state } of [...this.members.values()]) if (state?.isResuming) state.close(this.#reason);
    this.close("SERVER_CLOSED");
  }

  letGo(member: SocketMember): void {
    member.isLeaving = true;
    this.conn.changed();
    this.#context.recovery?.forget(member);
  }

  shutDown(member: SocketMember): Promise<void> | void {
    return this.#context.loader.whenResumed(member, (state) => state.close("server shutting down"));
  }

  onJoined(member: SocketMember): void {
    this.#hasJoined = true;
    // Its client has given up an earlier socket in this namespace.
    this.members.get(member.nsp)?.state?.close("client namespace disconnect");
    this.members.set(member.nsp, member);
    this.#connecting.count();
  }

  onLeft(member: SocketMember): void {
    if (this.members.get(member.nsp) === member) this.members.delete(member.nsp);
    this.#connecting.count();
    this.#dispatcher.onLeft(member.nsp);
    this.conn.changed();
  }

  dropUnknown(member: SocketMember): void {
    const { diagnostics, rooms } = this.#context;
    diagnostics.warnOnce(
      `namespace "${member.nsp}" has sockets and does not exist; create it in the setup function`,
    );
    if (!member.isLeaving) this.sendSafely({ type: DISCONNECT, nsp: member.nsp });
    rooms.of(member.nsp).drop(member);
    this.onLeft(member);
  }

  findChanges(): void {
    this.#request?.compare();
  }

  addBusy(count: 1 | -1): void {
    const wasBusy = this.isBusy();
    this.#busy += count;
    // A WebSocket does not outlive a restart anyway.
    if (this.isBusy() !== wasBusy && this.conn.transport.name === "polling") this.conn.changed();
  }

  /** A foreign decoder has put a packet together, now or later. */
  #onDecoded(packet: SocketPacket): void {
    this.#partial.complete();
    this.#dispatcher.enqueue(packet);
  }

  /** Tells the client at once, and only once: the listeners of the socket may have to be registered again first. */
  #dismiss(member: SocketMember): void {
    const { isLeaving } = member;
    this.letGo(member);
    if (!isLeaving) this.sendSafely({ type: DISCONNECT, nsp: member.nsp });
  }

  /**
   * Closes sockets in the order in which they joined: at once, until one of them needs its listeners registered first.
   */
  #closeInOrder(
    members: SocketMember[],
    reason: DisconnectReason,
    description: unknown,
  ): Promise<void> | void {
    for (const [index, member] of members.entries()) {
      const done = this.#context.loader.whenResumed(member, (state) => state.close(reason, description));
      if (done === undefined) continue;
      return done.then(() => this.#closeInOrder(members.slice(index + 1), reason, description));
    }
  }

  #onDecodeError(error: unknown): void {
    // The listeners of a sleeping socket have to be registered again before they can get the error.
    for (const member of this.members.values()) {
      this.#context.loader.whenResumed(member, (state) => state.onError(error));
    }
    this.conn.finish("PACKET_INVALID", error instanceof Error ? error : undefined);
  }
}

/** An event or an acknowledgement without data: the official parser accepts it, and the server drops it. */
function refuseEmpty({ type, data }: SocketPacket): void {
  if (data === undefined && (type === EVENT || type === ACK)) throw new CodecError("INVALID_PAYLOAD");
}
