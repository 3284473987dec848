import { EVENT } from "../../codec/socket-packet.ts";
import type { ServerContext } from "../context.ts";
import { encodeEvent } from "../recovery/encode-event.ts";
import type { Adapter } from "../rooms/adapter.ts";
import { LocalRooms } from "../rooms/local-rooms.ts";
import { type ClusterAdapter, toOptions } from "./cluster-adapter.ts";
import type { MeshServer } from "./mesh.ts";
import type { ClusterMessage } from "./messages.ts";
import type { Reply } from "./reply.ts";

const NO_EMITTER = { listenerCount: () => 0, emit: () => false };

/** The namespaces of the server. */
interface Namespaces {
  existing(name: string): { readonly adapter: Adapter } | undefined;
}

/** Carries out the messages of other shards, and of emitters, in the server of one object. It creates no namespace. */
export function createMeshServer(core: ServerContext, namespaces: Namespaces): MeshServer {
  const { host } = core;
  // Users know the class as `Adapter`, and every adapter extends it.
  const adapterOf = (nsp: string) => namespaces.existing(nsp)?.adapter as ClusterAdapter | undefined;

  const carryOut = (message: ClusterMessage, reply: Reply | undefined): void => {
    const adapter = adapterOf(message.nsp);
    if (adapter !== undefined) {
      const answers = adapter._carryOut(message, reply);
      if (answers) reply?.settle(answers);
    } else {
      if (message.type === "broadcast" && reply === undefined) sendUnnamed(message);
      // This shard does not have the namespace, so no client here could answer.
      reply?.expect(0);
    }
  };

  /**
   * Sends to a namespace that user code has not created, or not created again since a restart: its hibernating sockets,
   * and clients that may come back to it, have to get the event all the same.
   */
  const sendUnnamed = ({ nsp, frames, to }: Extract<ClusterMessage, { type: "broadcast" }>): void => {
    const isSomebodyThere = core.rooms.anyOf(nsp) !== undefined;
    if (!isSomebodyThere && core.recovery === undefined) return;
    const opts = toOptions(to);
    const { flags } = opts;
    const packet = core.parser.decode(frames) ?? { type: EVENT, nsp };
    const encoded = encodeEvent(core, packet, flags, to.rooms, to.except);
    if (!isSomebodyThere) return;
    const rooms = new LocalRooms(nsp, core.rooms.of(nsp), core, NO_EMITTER);
    rooms.visit(opts, (member) => rooms.deliver(member, { frames: encoded, packet, flags }));
  };

  return {
    carryOut(message, reply) {
      const ready = host.isSetUp ? undefined : host.ready();
      // A message that needs no listeners of the user's code does not wait for setup: the setup functions of two shards
      // may ask each other, and would wait for ever.
      const isLater = !host.isSetUp && (message.type === "emit" || (reply && !adapterOf(message.nsp)));
      if (!isLater) carryOut(message, reply);
      ready?.then(() => isLater && carryOut(message, reply)).catch(() => isLater && reply?.giveUp());
    },
    relay(message) {
      const adapter = adapterOf(message.nsp);
      if (adapter !== undefined) return adapter._carryOut(message, undefined, adapter);
      // Others may have the namespace, and clients that were in it may come back to this one.
      carryOut(message, undefined);
      const { mesh } = host;
      if (message.type === "fetch") return mesh?.collect(message) ?? [];
      return mesh?.say(message);
    },
    onLost(nsp, error) {
      const adapter = adapterOf(nsp);
      if (adapter?.listenerCount("error")) adapter.emit("error", error);
    },
  };
}
