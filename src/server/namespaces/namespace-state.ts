import type { Dispatcher } from "../../shared/event-emitter.ts";
import type { ExtendedError } from "../api/socket-types.ts";
import { ACK_BLOCK } from "../constants.ts";
import type { ServerContext } from "../context.ts";
import type { NamespaceData } from "../data/namespace-data.ts";
import type { Adapter, AdapterServices } from "../rooms/adapter.ts";
import { BroadcastAcks } from "../rooms/broadcast-acks.ts";
import type { RoomIndex } from "../rooms/room-index.ts";
import type { SocketFactory } from "../sockets/member-loader.ts";
import type { LocalSocket, SocketMember } from "../sockets/socket-member.ts";

/** Decides about a socket that wants to connect to a namespace. */
export type ConnectMiddleware = (socket: LocalSocket, next: (err?: ExtendedError) => void) => void;

/** The public namespace. Its listeners may be for any events, and its adapter may be replaced. */
interface NamespaceFace extends Dispatcher {
  readonly name: string;
  readonly adapter: Adapter;
}

/** What a namespace does, behind its public face. */
export class NamespaceState implements AdapterServices, SocketFactory {
  readonly context: ServerContext;
  readonly face: NamespaceFace;
  /** The name of the dynamic namespace that it is a child of. */
  readonly parent: string | undefined;
  readonly createSocket: SocketFactory["createSocket"];
  readonly rooms: RoomIndex<SocketMember>;
  readonly acks: BroadcastAcks;
  readonly middlewares: ConnectMiddleware[] = [];
  /** Called when a client has left, or has its answer. */
  onLeft: (() => void) | undefined;
  /** Clients that are about to connect. */
  #connecting = 0;
  #nextAckId = 0;
  #data: NamespaceData | undefined;
  /** The end of the current block of ids; undefined until the first id is needed. */
  #endAckId: number | undefined;

  constructor(
    context: ServerContext,
    face: NamespaceFace,
    createSocket: SocketFactory["createSocket"],
    parent?: string,
  ) {
    this.context = context;
    this.face = face;
    this.parent = parent;
    this.createSocket = createSocket;
    this.rooms = context.rooms.of(face.name);
    this.acks = new BroadcastAcks(context);
  }

  get name(): string {
    return this.face.name;
  }

  get adapter(): Adapter {
    return this.face.adapter;
  }

  /** Counts from 0, as on Node. An instance that is not the object's first takes ids from the host, in blocks. */
  nextAckId(): number {
    const { host } = this.context;
    this.#endAckId ??= host.isFirstRun || !host.hibernation ? ACK_BLOCK : 0;
    if (this.#nextAckId === this.#endAckId) {
      // Clients choose the names of children, and each block is stored by name: children of one parent share theirs.
      this.#nextAckId = host.nextAckBlock(this.parent ?? this.name);
      this.#endAckId = this.#nextAckId + ACK_BLOCK;
    }
    return this.#nextAckId++;
  }

  /** `nsp.data`. */
  get data(): NamespaceData {
    this.#data ??= this.context.data.of(this.name, this.onLeft !== undefined);
    return this.#data;
  }

  /** Nobody is in it, or about to be. */
  get isEmpty(): boolean {
    return this.#connecting === 0 && this.rooms.complete().members.size === 0;
  }

  /** Lets a client connect. Until it has its answer, the namespace is not empty. */
  whileConnecting(connect: () => Promise<void> | void): Promise<void> | void {
    this.#connecting++;
    const end = () => {
      this.#connecting--;
      this.onLeft?.();
    };
    try {
      const done = connect();
      if (done !== undefined) return done.finally(end);
    } catch (error) {
      end();
      throw error;
    }
    end();
  }

  /** A socket is gone, or is not let in. */
  remove({ id }: SocketMember): void {
    this.rooms.members.delete(id);
    this.rooms.pending.delete(id);
    this.onLeft?.();
  }
}
