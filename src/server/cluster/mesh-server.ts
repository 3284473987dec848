import type { ServerContext } from "../context.ts";
import type { Adapter } from "../rooms/adapter.ts";
import type { ClusterAdapter } from "./cluster-adapter.ts";
import type { MeshServer } from "./mesh.ts";
import type { ClusterMessage } from "./messages.ts";
import type { Reply } from "./reply.ts";
import { UnnamedAdapter } from "./unnamed-adapter.ts";

/** The namespaces of the server. */
interface Namespaces {
  existing(name: string): { readonly adapter: Adapter } | undefined;
}

/**
 * Carries out the messages of other shards, and of emitters, in the server of one object. It creates no namespace,
 * since clients could then join one that has no middleware.
 */
export function createMeshServer(core: ServerContext, namespaces: Namespaces): MeshServer {
  const { host } = core;
  // Users know the class as `Adapter`, and every adapter extends it.
  const adapterOf = (nsp: string) => namespaces.existing(nsp)?.adapter as ClusterAdapter | undefined;
  const unnamedAdapter = (nsp: string) => new UnnamedAdapter(nsp, core);

  const carryOut = (message: ClusterMessage, reply: Reply | undefined): void => {
    const { nsp, type } = message;
    const adapter = adapterOf(nsp) ?? (reply && type !== "fetch" ? undefined : unnamedAdapter(nsp));
    // This shard does not have the namespace, so no client here could answer.
    const answers = adapter === undefined ? Promise.resolve([]) : adapter._carryOut(message, reply);
    if (answers) reply?.settle(answers);
  };

  return {
    carryOut(message, reply) {
      const ready = host.isSetUp ? undefined : host.ready();
      // What needs no listeners of the user's code does not wait for setup: the setup functions of two shards may ask
      // each other, and would wait for ever. Clients are asked by way of the namespace, so that has to be there.
      const isLater =
        !host.isSetUp &&
        (message.type === "emit" || (reply && message.type !== "fetch" && !adapterOf(message.nsp)));
      if (!isLater) carryOut(message, reply);
      ready
        ?.then(() => isLater && carryOut(message, reply))
        .catch((error) => {
          if (!isLater) return;
          reply?.giveUp();
          host.log("warn", `what another shard said (${message.type}) was dropped`, error);
        });
    },
    relay(message) {
      // Others may have the namespace, and clients that were in it may come back to this one.
      const adapter = adapterOf(message.nsp) ?? unnamedAdapter(message.nsp);
      return adapter._carryOut(message, undefined, adapter);
    },
    onLost(nsp, error) {
      const adapter = adapterOf(nsp);
      if (adapter?.listenerCount("error")) adapter.emit("error", error);
    },
  };
}
