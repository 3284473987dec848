import { describe, expectTypeOf, it } from "vitest";
import type {
  AdapterConstructor,
  Adapter as AdapterType,
  BroadcastOptions,
  Namespace,
  ParserOption,
  RecoveredSession,
  ServerOptions,
  SocketDetails,
  SocketPacket,
} from "../../src/index.ts";

/** Never run: what the compiler says about these lines is the test. */
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
  const create: AdapterConstructor = (nsp) => new PassingOn(nsp);
  const parser: ParserOption = { Encoder: class {}, Decoder: class {} };
  return [{ adapter: PassingOn, parser }, { adapter: create }];
}

describe("the types of the package", () => {
  it("name all that an author of an adapter or of a parser writes down", () => {
    expectTypeOf(written).toBeFunction();
  });
});
