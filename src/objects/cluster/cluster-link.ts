import { Mesh, type MeshHost } from "../../server/cluster/mesh.ts";
import type { LastBatch } from "../../server/cluster/senders.ts";
import type { Identity } from "../identity.ts";
import { BATCHES } from "../identity.ts";
import type { Placement } from "../placement/placement.ts";
import { ObjectPeers } from "./object-peers.ts";

interface LinkHost extends Omit<MeshHost, "storedBatch" | "noteBatch"> {
  readonly ctx: DurableObjectState;
  readonly persists: boolean;
  readonly identity: Identity;
}

/**
 * What joins an object to the other objects of its server, where there are any. It keeps how far it has come with each
 * of them: in the commit in which anything is stored of a batch, so that after a restart no part of it comes twice.
 */
export class ClusterLink {
  readonly #host: LinkHost;
  readonly #env: Cloudflare.Env;
  readonly #placement: Placement;
  readonly #unwritten = new Map<string, LastBatch>();
  #mesh: Mesh | undefined;

  constructor(host: LinkHost, env: Cloudflare.Env, placement: Placement) {
    this.#host = host;
    this.#env = env;
    this.#placement = placement;
  }

  /** Undefined for a server of one object. */
  get mesh(): Mesh | undefined {
    if (this.#mesh === undefined && this.#placement.shards.length > 1) this.#mesh = this.#create();
    return this.#mesh;
  }

  /** A turn is over, in which rows were written or not. */
  settle(hasWritten: boolean): void {
    if (!hasWritten) return;
    for (const [from, last] of this.#unwritten) this.#host.ctx.storage.kv.put(BATCHES + from, last);
    this.#unwritten.clear();
  }

  #create(): Mesh | undefined {
    const { address } = this.#host.identity;
    if (address === undefined) return undefined;
    const { ctx, persists, timers } = this.#host;
    return new Mesh(new ObjectPeers(this.#env, this.#placement, address), {
      timers,
      now: () => this.#host.now(),
      keepAwake: (promise) => this.#host.keepAwake(promise),
      log: (level, message, error) => this.#host.log(level, message, error),
      storedBatch: (from) => (persists ? ctx.storage.kv.get<LastBatch>(BATCHES + from) : undefined),
      noteBatch: (from, last) => {
        if (persists) this.#unwritten.set(from, last);
      },
    });
  }
}
