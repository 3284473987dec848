import { describe, expectTypeOf, it } from "vitest";
import type {
  AdapterConstructor,
  AdapterNamespace,
  Adapter as AdapterType,
  BroadcastOptions,
  Client,
  Namespace,
  ParserOption,
  RecoveredSession,
  Room,
  ServerOptions,
  Socket,
  SocketDetails,
  SocketId,
  SocketMap,
  SocketPacket,
} from "../../src/index.ts";

/** This code never runs: the test is whether the compiler accepts these lines. */
function written(Adapter: typeof AdapterType): ServerOptions[] {
  class PassingOn extends Adapter {
    readonly sent: SocketPacket[] = [];

    constructor(nsp: Namespace) {
      super(nsp);
      nsp.server.on("new_namespace", () => {});
    }

    override broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
      if (!opts.flags?.local) this.sent.push(packet);
      super.broadcast(packet, opts);
    }

    override async fetchSockets(opts: BroadcastOptions): ReturnType<AdapterType["fetchSockets"]> {
      const details: SocketDetails = {
        id: "elsewhere",
        handshake: [...this.nsp.sockets.values()][0]!.handshake,
        rooms: [],
        data: { name: "ann" },
      };
      return [...(await super.fetchSockets(opts)), details];
    }

    override restoreSession(pid: string, offset: string): Promise<RecoveredSession | null> {
      return Promise.resolve(super.restoreSession(pid, offset));
    }
  }
  class CountingRooms extends Adapter {
    readonly counts = new Map<Room, number>();

    constructor(nsp: AdapterNamespace) {
      super(nsp);
      nsp._onServerSideEmit(["made", nsp.name]);
    }

    override addAll(id: SocketId, rooms: Set<Room>): void {
      for (const room of rooms) this.counts.set(room, (this.counts.get(room) ?? 0) + 1);
      super.addAll(id, rooms);
    }
  }
  const create: AdapterConstructor = (nsp) => new PassingOn(nsp);
  const parser: ParserOption = { Encoder: class {}, Decoder: class {} };
  return [{ adapter: PassingOn, parser }, { adapter: create }, { adapter: CountingRooms }];
}

/** Everything that the public classes return has a type with a name. */
function named(socket: Socket): [Client, SocketMap<Socket>] {
  return [socket.client, socket.nsp.sockets];
}

describe("the types of the package", () => {
  it("include all that an author of an adapter or a parser needs", () => {
    expectTypeOf(written).toBeFunction();
    expectTypeOf(named).toBeFunction();
  });
});
