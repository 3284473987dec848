import { Mesh, type MeshHost, type MeshServer } from "../../server/cluster/mesh.ts";
import { type ObjectAnswer, type ObjectCall, VERSION } from "../../server/cluster/messages.ts";
import type { LastBatch } from "../../server/cluster/senders.ts";
import { BATCHES, type Identity } from "../identity.ts";
import type { Placement } from "../placement/placement.ts";
import { parseShard } from "../placement/shards.ts";
import type { Ticker } from "../sessions/ticker.ts";
import { ObjectPeers } from "./object-peers.ts";

interface LinkHost extends Omit<MeshHost, "storedBatch" | "noteBatch" | "afterAlarm"> {
  readonly ctx: DurableObjectState;
  readonly persists: boolean;
  readonly identity: Identity;
  readonly ticker: Ticker;
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
  #server: MeshServer | undefined;
  #greeting: Promise<void> | undefined;
  #atAlarm: (() => void)[] = [];

  constructor(host: LinkHost, env: Cloudflare.Env, placement: Placement) {
    this.#host = host;
    this.#env = env;
    this.#placement = placement;
  }

  /** Undefined for a server of one object, as long as it hears of no other. */
  get mesh(): Mesh | undefined {
    if (this.#mesh !== undefined) return this.#mesh;
    const { identity } = this.#host;
    const hasOthers = this.#placement.shards.length > 1 || identity.peers.length > 0;
    return hasOthers && identity.address !== undefined ? this.#create() : undefined;
  }

  /** The option `shards` does not name this object any more. */
  get isRetired(): boolean {
    const { address } = this.#host.identity;
    return address !== undefined && !this.#placement.shards.includes(address.shard);
  }

  /** This carries out from now on what other objects say. */
  serve(server: MeshServer): void {
    this.#server = server;
    this.#mesh?.serve(server);
  }

  /** An emitter calls, or another object. During a deploy it may know of shards of which this code has not heard. */
  async receive(call: ObjectCall): Promise<ObjectAnswer> {
    // An object of another version tries again until it gives up, and reports that.
    if (call.v !== VERSION) throw new Error(`this shard speaks version ${VERSION} of the cluster's messages`);
    if (call.type === "relay") {
      return Promise.allSettled(call.messages.map(async (message) => this.#server?.relay(message)));
    }
    if (call.type === "batch" && parseShard(call.from) === undefined) throw new Error("no such shard");
    return (this.#mesh ?? this.#create()).receive(call);
  }

  /** Before an object has its first session the others hear of it: else they would not tell it what they say. */
  async greet(): Promise<void> {
    const { mesh } = this;
    if (mesh === undefined || (this.#greeting === undefined && this.#host.identity.isKept)) return;
    this.#greeting ??= mesh.greet();
    await this.#greeting;
  }

  /** The alarm went off. */
  onAlarm(): void {
    const waiting = this.#atAlarm;
    this.#atAlarm = [];
    for (const resume of waiting) resume();
  }

  /** A turn is over, in which rows were written or not. */
  settle(hasWritten: boolean): void {
    if (!hasWritten) return;
    for (const [from, last] of this.#unwritten) this.#host.ctx.storage.kv.put(BATCHES + from, last);
    this.#unwritten.clear();
  }

  #create(): Mesh {
    const { ctx, persists, timers, identity, ticker } = this.#host;
    const isEmpty = () => this.isRetired && !identity.isKept;
    this.#mesh = new Mesh(new ObjectPeers(this.#env, this.#placement, identity, isEmpty), {
      timers,
      now: () => this.#host.now(),
      keepAwake: (promise) => this.#host.keepAwake(promise),
      log: (level, message, error) => this.#host.log(level, message, error),
      storedBatch: (from) => (persists ? ctx.storage.kv.get<LastBatch>(BATCHES + from) : undefined),
      observe: this.#host.observe,
      noteBatch: (from, last) => {
        if (persists) this.#unwritten.set(from, last);
      },
      afterAlarm: () => {
        ticker.ensureBy(this.#host.now() + 1);
        return new Promise((resolve) => void this.#atAlarm.push(resolve));
      },
    });
    if (this.#server !== undefined) this.#mesh.serve(this.#server);
    return this.#mesh;
  }
}
