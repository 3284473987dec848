import type { ServerContext } from "../context.ts";
import type { AdapterNamespace } from "../rooms/adapter.ts";
import type { BroadcastOptions } from "../rooms/broadcast-options.ts";
import { RoomIndex } from "../rooms/room-index.ts";
import { createHandshake } from "../sockets/handshake.ts";
import type { LocalSocket, SocketMember } from "../sockets/socket-member.ts";
import { checkRooms } from "../sockets/socket-rooms.ts";
import { ClusterAdapter } from "./cluster-adapter.ts";

/**
 * The adapter of a namespace that user code has not created, or not created again since a restart: its hibernating
 * sockets, and clients that may come back to it, have to get what other shards say all the same. It works on what is
 * stored of the sockets, and has no listeners.
 */
export class UnnamedAdapter extends ClusterAdapter {
  readonly #core: ServerContext;

  constructor(name: string, context: ServerContext) {
    const { rooms } = context;
    // Other shards may have any number of namespaces that have nobody here: nothing is kept of those.
    const index = rooms.anyOf(name) === undefined ? new RoomIndex(rooms) : rooms.of(name);
    const _internals = { context, rooms: index };
    super({ name, _internals, _onServerSideEmit() {} } as unknown as AdapterNamespace);
    this.#core = context;
  }

  protected override _list(opts: BroadcastOptions): LocalSocket[] {
    const members: SocketMember[] = [];
    this._local.visit(opts, (member) => members.push(member));
    return members.flatMap((member) => this.#toSocket(member) ?? []);
  }

  #toSocket(member: SocketMember): LocalSocket | undefined {
    const { limits, loader } = this.#core;
    const connection = loader.loadConnection(member);
    if (connection === undefined) return undefined;
    const { id, record, rooms } = member;
    const { data = {}, handshake } = record?.kept ?? {};
    return {
      id,
      rooms,
      data,
      handshake: { ...createHandshake(connection.conn, record), ...handshake },
      join: (added: string[]) => {
        checkRooms(rooms, new Set(added), limits.maxRooms);
        this._local.join(id, added);
      },
      leave: (room: string) => this._local.leave(id, room),
      disconnect: (close: boolean) => (close ? connection.disconnect() : connection.leave(member)),
    } as unknown as LocalSocket;
  }
}
