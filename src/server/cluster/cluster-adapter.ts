import type { Frame, SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import type { Room, SocketId } from "../api/socket-types.ts";
import { Adapter, type BroadcastOptions, type SocketDetails } from "../rooms/adapter.ts";
import type { LocalSocket } from "../sockets/socket-member.ts";
import { toPlain } from "../state/plain-copy.ts";
import { toDetails } from "./details.ts";
import type { Mesh } from "./mesh.ts";
import type { ClusterMessage, Target } from "./messages.ts";
import type { Reply } from "./reply.ts";

/** How long a request waits for the answers of other shards, as on Node, unless `timeout()` sets another time, ms. */
const REQUEST_MS = 5_000;

/** A request to other shards that is under way. */
interface Asked {
  readonly values: unknown[];
  /** The shards that have not answered yet. */
  readonly missing: Set<string>;
  readonly expected: number;
}

/**
 * The adapter of every namespace. It reaches the rooms of this object and, where the server is spread over several
 * objects (the option `shards`), the rooms of the others. An adapter of your own extends this class. If your class has
 * `static replacesMesh = true`, it has to reach the other objects itself.
 */
export class ClusterAdapter extends Adapter {
  readonly #context = this.nsp._internals.context;
  readonly #host = this.#context.host;
  readonly #parser = this.#context.parser;

  override serverCount(): Promise<number> {
    return Promise.resolve(1 + (this.#mesh?.peers.all().length ?? 0));
  }

  override addAll(id: SocketId, rooms: Set<Room>): Promise<void> | void {
    for (const room of rooms) {
      if (room === id || this.#mesh?.peers.shardOf(room) === undefined) continue;
      this.#context.diagnostics.warnOnce(
        "a socket has joined the id of another socket as a room: over several shards only the shard of that socket " +
          "is asked for it; join a room with a name of its own",
      );
    }
    return super.addAll(id, rooms);
  }

  override broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
    const shards = this.#shardsOf(opts);
    const mesh = this.#mesh;
    if (mesh === undefined || shards.length === 0) {
      super.broadcast(packet, opts);
      return;
    }
    if (this.#context.isMuted) return;
    packet.nsp = this.nsp.name;
    const frames = this.#parser.encode(packet);
    this.#deliver(packet, frames, opts);
    mesh.say({ type: "broadcast", nsp: this.nsp.name, to: toTarget(opts), frames }, shards);
  }

  override broadcastWithAck(
    packet: SocketPacket,
    opts: BroadcastOptions,
    clientCountCallback: (clientCount: number) => void,
    ack: (...args: unknown[]) => void,
    onGone?: () => void,
  ): void {
    const shards = this.#shardsOf(opts);
    const mesh = this.#mesh;
    const frames = shards.length === 0 ? [] : this.#parser.encode({ ...packet, nsp: this.nsp.name });
    super.broadcastWithAck(packet, opts, clientCountCallback, ack, onGone);
    if (mesh === undefined) return;
    // The shards that are not asked have no client that could answer.
    for (let i = mesh.peers.all().length; i > shards.length; i--) clientCountCallback(0);
    const timeoutMs = opts.flags?.timeout ?? 0;
    const { name: nsp } = this.nsp;
    const message: ClusterMessage = { type: "broadcast", nsp, to: toTarget(opts), frames, timeoutMs };
    mesh.ask(message, shards, timeoutMs, (_, answers) => {
      if (answers === undefined) return;
      clientCountCallback(answers.count);
      for (const value of answers.values) ack(this.#fromTravel(value));
      if (answers.isComplete) for (let i = answers.values.length; i < answers.count; i++) onGone?.();
    });
  }

  override async sockets(rooms: Set<Room>): Promise<Set<SocketId>> {
    const ids = await super.sockets(rooms);
    for (const { id } of await this.#fetch({ rooms })) ids.add(id);
    return ids;
  }

  override async fetchSockets(opts: BroadcastOptions): Promise<(LocalSocket | SocketDetails)[]> {
    // This object's sockets are collected at once, so that the result is the same as without other shards: it does not
    // show what happens later in this turn.
    const here = super.fetchSockets(opts);
    const elsewhere = this.#fetch(opts);
    return [...(await here), ...(await elsewhere)];
  }

  override addSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.addSockets(opts, rooms);
    this.#say(opts, { type: "join", nsp: this.nsp.name, to: toTarget(opts), rooms });
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(opts, rooms);
    this.#say(opts, { type: "leave", nsp: this.nsp.name, to: toTarget(opts), rooms });
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(opts, close);
    this.#say(opts, { type: "disconnect", nsp: this.nsp.name, to: toTarget(opts), close });
  }

  override serverSideEmit(packet: unknown[]): void {
    const mesh = this.#mesh;
    const shards = mesh?.peers.all() ?? [];
    if (mesh === undefined || shards.length === 0) {
      super.serverSideEmit(packet);
      return;
    }
    const ack = packet.at(-1);
    const { name: nsp } = this.nsp;
    if (typeof ack !== "function") {
      mesh.say({ type: "emit", nsp, args: toTravel(packet) as unknown[] }, shards);
      return;
    }
    const args = toTravel(packet.slice(0, -1)) as unknown[];
    this.#ask({ type: "emit", nsp, args }, shards, REQUEST_MS).then(
      (values) => this.#context.diagnostics.attempt("serverSideEmit", () => ack(null, values)),
      (error) => this.#context.diagnostics.attempt("serverSideEmit", () => ack(error, error.responses)),
    );
  }

  /** Carries out a message of another shard, in this object alone. @internal */
  _carryOut(message: ClusterMessage, reply: Reply | undefined): void {
    switch (message.type) {
      case "broadcast":
        this.#broadcastHere(message, reply);
        break;
      case "join":
        super.addSockets(toOptions(message.to), [...message.rooms]);
        break;
      case "leave":
        super.delSockets(toOptions(message.to), [...message.rooms]);
        break;
      case "disconnect":
        super.disconnectSockets(toOptions(message.to), message.close);
        break;
      case "fetch":
        reply?.settle(super.fetchSockets(toOptions(message.to)).then((sockets) => sockets.map(toDetails)));
        break;
      case "hello":
        break;
      case "emit": {
        const { promise, resolve } = defer<unknown>();
        const args = reply === undefined ? message.args : [...message.args, resolve];
        this.nsp._onServerSideEmit([...args] as [string]);
        reply?.settle(promise.then((value) => [toTravel(value)]));
      }
    }
  }

  #broadcastHere(message: Extract<ClusterMessage, { type: "broadcast" }>, reply: Reply | undefined): void {
    const { frames, timeoutMs } = message;
    const opts: BroadcastOptions = toOptions(message.to);
    const packet: SocketPacket = this.#toPacket(frames);
    if (reply === undefined) {
      this.#deliver(packet, frames, opts);
      return;
    }
    const flags = { ...opts.flags, timeout: timeoutMs };
    super.broadcastWithAck(
      { ...packet, data: packet.data },
      { ...opts, flags },
      (count) => reply.expect(count),
      (value) => reply.add(this.#toTravel(value)),
      () => reply.gone(),
    );
  }

  /**
   * Without recovery the frames of the sender are sent as they are. With it, each shard encodes the event again,
   * because it adds an offset of its own.
   */
  #deliver(packet: SocketPacket, frames: readonly Frame[], opts: BroadcastOptions): void {
    if (this.#context.recovery !== undefined && !opts.flags?.volatile) {
      super.broadcast({ ...packet, data: packet.data }, opts);
      return;
    }
    this._local.index.complete();
    this._local.visit(opts, (member) => this._local.deliver(member, { frames, packet, flags: opts.flags }));
  }

  /** The packet of the frames. They are decoded only when something reads its data. */
  #toPacket(frames: readonly Frame[]): SocketPacket {
    const parser = this.#parser;
    let data: unknown;
    return {
      type: EVENT,
      nsp: this.nsp.name,
      get data(): unknown {
        data ??= parser.decode(frames)?.data ?? [];
        return data;
      },
    };
  }

  /** Encodes the answer to an acknowledgement, which may contain bytes. */
  #toTravel(value: unknown): readonly Frame[] {
    return this.#parser.encode({ type: EVENT, nsp: this.nsp.name, data: ["", value] });
  }

  #fromTravel(value: unknown): unknown {
    return (this.#parser.decode(value as readonly Frame[])?.data as unknown[] | undefined)?.[1];
  }

  async #fetch(opts: BroadcastOptions): Promise<SocketDetails[]> {
    const shards = this.#shardsOf(opts);
    if (shards.length === 0) return [];
    const message: ClusterMessage = { type: "fetch", nsp: this.nsp.name, to: toTarget(opts) };
    const timeoutMs = opts.flags?.timeout || REQUEST_MS;
    return this.#ask(message, shards, timeoutMs) as Promise<SocketDetails[]>;
  }

  /**
   * Asks shards. The promise rejects, with the answers that have come, as soon as no others can come, and at the
   * latest when the time is over.
   */
  #ask(message: ClusterMessage, shards: readonly string[], timeoutMs: number): Promise<unknown[]> {
    const asked: Asked = { values: [], missing: new Set(shards), expected: shards.length };
    const failed = new Set<string>();
    const { promise, resolve, reject } = defer<unknown[]>();
    const finish = () => {
      this.#host.timers.clear(timer);
      if (asked.missing.size === 0) resolve(asked.values);
      else reject(toTimeout(asked));
    };
    const timer = this.#host.timers.set(finish, timeoutMs);
    this.#mesh?.ask(message, shards, timeoutMs, (shard, answers) => {
      if (answers?.isComplete) {
        asked.missing.delete(shard);
        asked.values.push(...answers.values);
      } else failed.add(shard);
      if (failed.size === asked.missing.size) finish();
    });
    return promise;
  }

  #say(opts: BroadcastOptions, message: ClusterMessage): void {
    const shards = this.#shardsOf(opts);
    if (shards.length > 0) this.#mesh?.say(message, shards);
  }

  /** The other shards that may have one of the receivers. The room of a socket's own id is on one shard only. */
  #shardsOf({ rooms, flags }: BroadcastOptions): readonly string[] {
    const peers = this.#mesh?.peers;
    if (peers === undefined || flags?.local) return [];
    if (rooms.size === 0) return peers.all();
    const shards = new Set<string>();
    for (const room of rooms) {
      const shard = peers.shardOf(room);
      if (shard === undefined) return peers.all();
      shards.add(shard);
    }
    shards.delete(peers.self);
    return [...shards];
  }

  get #mesh(): Mesh | undefined {
    return (this.constructor as { replacesMesh?: boolean }).replacesMesh ? undefined : this.#host.mesh;
  }
}

function defer<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
}

function toTarget({ rooms, except, flags }: BroadcastOptions): Target {
  const target = { rooms: [...rooms], except: [...(except ?? [])] };
  return flags?.volatile ? { ...target, volatile: true } : target;
}

function toOptions({ rooms, except, volatile }: Target): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), flags: volatile ? { volatile } : {} };
}

/** A copy of the value as it is now, which the platform can clone. @throws DataCloneError */
function toTravel(value: unknown): unknown {
  return structuredClone(toPlain(value));
}

function toTimeout({ values, missing, expected }: Asked): Error {
  const text =
    `timeout reached: only ${expected - missing.size} responses received out of ${expected} ` +
    `(no answer of shard ${[...missing].join(", ")})`;
  return Object.assign(new Error(text), { responses: values });
}
