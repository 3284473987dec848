import { Mesh, type MeshHost, type MeshServer } from "../../server/cluster/mesh.ts";
import {
  type ClusterAnswer,
  type ClusterCall,
  type ObjectAnswer,
  type ObjectCall,
  type Peers,
  VERSION,
} from "../../server/cluster/messages.ts";
import type { LastBatch } from "../../server/cluster/senders.ts";
import { BATCHES, type Identity } from "../identity.ts";
import type { Placement } from "../placement/placement.ts";
import { parseShard } from "../placement/shards.ts";
import { shardOfSocket, toSocketId } from "../placement/socket-code.ts";
import type { Ticker } from "../sessions/ticker.ts";

/** How an object is called by emitters, and by the other objects of its server. */
interface PeerObject {
  socketIoPeer(call: ObjectCall): Promise<ClusterAnswer>;
}

interface LinkHost extends MeshHost {
  readonly ctx: DurableObjectState;
  readonly persists: boolean;
  readonly identity: Identity;
  readonly ticker: Ticker;
}

/**
 * What joins an object to the other objects of its server, where there are any: those that are configured, and those
 * that were heard of, which old code or new code may have, until they say that they are empty. It keeps how far it has
 * come with each of them: in the commit in which anything is stored of a batch, so that after a restart no part of it
 * comes twice.
 */
export class ClusterLink implements Peers {
  readonly #host: LinkHost;
  readonly #env: Cloudflare.Env;
  readonly #placement: Placement;
  readonly #stubs = new Map<string, PeerObject>();
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

  get self(): string {
    return this.#host.identity.require().shard;
  }

  all(): readonly string[] {
    return this.#host.identity.peers;
  }

  hear(shards: readonly string[]): void {
    const peers = this.all();
    const added = shards.filter(
      (shard) => shard !== this.self && !peers.includes(shard) && parseShard(shard) !== undefined,
    );
    if (added.length > 0) this.#host.identity.peers = [...peers, ...added];
  }

  forget(shard: string): void {
    if (this.#placement.shards.includes(shard)) return;
    this.#host.identity.peers = this.all().filter((peer) => peer !== shard);
  }

  /** The option `shards` does not name this object any more. */
  get isRetired(): boolean {
    const { address } = this.#host.identity;
    return address !== undefined && !this.#placement.shards.includes(address.shard);
  }

  isEmpty(): boolean {
    return this.isRetired && !this.#host.identity.isKept;
  }

  shardOf(room: string): string | undefined {
    const shard = shardOfSocket(room);
    // Clients may invent an id. A shard that has greeted nobody has no sockets, and must not be called into being.
    return shard === this.self || this.all().includes(shard as string) ? shard : undefined;
  }

  newSocketId(): string {
    return toSocketId(this.self);
  }

  async call(shard: string, call: ClusterCall): Promise<ClusterAnswer> {
    const to = { name: this.#host.identity.require().name, shard };
    let stub = this.#stubs.get(shard);
    if (stub === undefined) {
      stub = this.#placement.finder(this.#env, to)().stub as unknown as PeerObject;
      this.#stubs.set(shard, stub);
    }
    try {
      return await stub.socketIoPeer({ ...call, to });
    } catch (error) {
      // A stub that has seen its object fail stays broken.
      this.#stubs.delete(shard);
      throw error;
    }
  }

  storedBatch(from: string): LastBatch | undefined {
    const { ctx, persists } = this.#host;
    return persists ? ctx.storage.kv.get<LastBatch>(BATCHES + from) : undefined;
  }

  noteBatch(from: string, last: LastBatch): void {
    if (this.#host.persists) this.#unwritten.set(from, last);
  }

  afterAlarm(): Promise<void> {
    this.#host.ticker.ensureBy(this.#host.now() + 1);
    return new Promise((resolve) => void this.#atAlarm.push(resolve));
  }

  /** This carries out from now on what other objects say. */
  serve(server: MeshServer): void {
    this.#server = server;
    this.#mesh?.serve(server);
  }

  /** An emitter calls, or another object. During a deploy it may know of shards of which this code has not heard. */
  receive(call: ObjectCall): ObjectAnswer | Promise<ObjectAnswer> {
    // An object of another version tries again until it gives up, and reports that.
    if (call.v !== VERSION) throw new Error(`this shard speaks version ${VERSION} of the cluster's messages`);
    if (call.type === "relay") {
      return Promise.allSettled(call.messages.map(async (message) => this.#server?.relay(message)));
    }
    if (call.type === "batch" && parseShard(call.from) === undefined) throw new Error("no such shard");
    return (this.#mesh ?? this.#create()).receive(call);
  }

  /**
   * Before an object has its first session the others hear of it: else they would not tell it what they say. Undefined
   * where there is nothing to wait for.
   */
  greet(): Promise<void> | undefined {
    const { mesh } = this;
    if (mesh === undefined || (this.#greeting === undefined && this.#host.identity.isKept)) return undefined;
    this.#greeting ??= mesh.greet();
    return this.#greeting;
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
    this.hear(this.#placement.shards);
    this.#mesh = new Mesh(this, this.#host);
    if (this.#server !== undefined) this.#mesh.serve(this.#server);
    return this.#mesh;
  }
}
