import type { Frame, SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import type { Room, SocketId } from "../api/socket-types.ts";
import { Adapter, type BroadcastOptions, type SocketDetails } from "../rooms/adapter.ts";
import type { LocalSocket } from "../sockets/socket-member.ts";
import type { Mesh } from "./mesh.ts";
import type { ClusterMessage, Operation, Target } from "./messages.ts";
import type { Reply } from "./reply.ts";
import { copyBytes, toDetails, toTravel } from "./travel.ts";

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
        "a socket has joined the id of another socket as a room, for which only the shard of that socket is asked; " +
          "join a room with another name",
      );
    }
    return super.addAll(id, rooms);
  }

  override broadcast(packet: SocketPacket, opts: BroadcastOptions): void {
    const shards = this.#shardsOf(opts);
    if (shards.length === 0) {
      super.broadcast(packet, opts);
      return;
    }
    if (this.#context.isMuted) return;
    packet.nsp = this.nsp.name;
    const frames = this.#parser.encode(packet);
    this.#deliver(packet, frames, opts);
    this.#say(opts, { type: "broadcast", frames: copyBytes(frames) }, shards);
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
    const frames =
      shards.length === 0 ? [] : copyBytes(this.#parser.encode({ ...packet, nsp: this.nsp.name }));
    super.broadcastWithAck(packet, opts, clientCountCallback, ack, onGone);
    if (mesh === undefined) return;
    // The shards that are not asked have no client that could answer.
    for (let i = mesh.peers.all().length; i > shards.length; i--) clientCountCallback(0);
    const timeoutMs = opts.flags?.timeout ?? 0;
    const message = this.#toMessage(opts, { type: "broadcast", frames, timeoutMs });
    for (const answered of mesh.ask(message, shards, timeoutMs)) {
      const told = answered.then((answers) => {
        if (answers === undefined) return;
        clientCountCallback(answers.count);
        for (const value of answers.values) ack(this.#fromTravel(value));
        if (answers.isComplete) for (let i = answers.values.length; i < answers.count; i++) onGone?.();
      });
      this.#host.keepAwake(told);
    }
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
    this.#say(opts, { type: "join", rooms });
  }

  override delSockets(opts: BroadcastOptions, rooms: Room[]): void {
    super.delSockets(opts, rooms);
    this.#say(opts, { type: "leave", rooms });
  }

  override disconnectSockets(opts: BroadcastOptions, close: boolean): void {
    super.disconnectSockets(opts, close);
    this.#say(opts, { type: "disconnect", close });
  }

  override serverSideEmit(packet: unknown[]): void {
    const mesh = this.#mesh;
    if (mesh === undefined) {
      super.serverSideEmit(packet);
      return;
    }
    const ack = packet.at(-1);
    const isAsking = typeof ack === "function";
    const args = toTravel(isAsking ? packet.slice(0, -1) : packet);
    const message: ClusterMessage = { type: "emit", nsp: this.nsp.name, args };
    if (!isAsking) {
      mesh.say(message);
      return;
    }
    mesh
      .collect(message)
      .then(
        (values) => [null, values],
        (error) => [error, error.responses],
      )
      .then((answer) => this.#context.diagnostics.attempt("serverSideEmit", () => ack(...answer)));
  }

  /**
   * Carries out a message, and returns the promise of the answers to it. By way of the local adapter's methods it
   * reaches this object alone, without adapters of the user's own; by way of this adapter's it reaches all objects.
   * @internal
   */
  _carryOut(
    message: ClusterMessage,
    reply?: Reply,
    by: Adapter = Adapter.prototype,
  ): Promise<unknown[]> | undefined {
    const opts = toOptions(message.to);
    switch (message.type) {
      case "broadcast":
        if (by === this) this.broadcast(this.#toPacket(message.frames), opts);
        else this.#broadcastHere(message, reply);
        break;
      case "join":
        by.addSockets.call(this, opts, [...message.rooms]);
        break;
      case "leave":
        by.delSockets.call(this, opts, [...message.rooms]);
        break;
      case "disconnect":
        by.disconnectSockets.call(this, opts, message.close);
        break;
      case "fetch":
        return by.fetchSockets.call(this, opts).then((sockets) => sockets.map(toDetails));
      case "emit": {
        const { args } = message;
        by.serverSideEmit.call(this, [...args]);
        return this.#emitHere(args, reply !== undefined);
      }
    }
    return undefined;
  }

  #emitHere(args: readonly unknown[], isAsking: boolean): Promise<unknown[]> | undefined {
    if (!isAsking) {
      this.nsp._onServerSideEmit([...args] as [string]);
      return undefined;
    }
    return new Promise((resolve) => {
      this.nsp._onServerSideEmit([...args, (value: unknown) => resolve([value])] as unknown as [string]);
    }).then(toTravel as () => unknown[]);
  }

  #broadcastHere(message: Extract<ClusterMessage, { type: "broadcast" }>, reply: Reply | undefined): void {
    const { frames, timeoutMs } = message;
    const opts: BroadcastOptions = toOptions(message.to);
    const packet: SocketPacket = this.#toPacket(frames);
    if (reply === undefined) {
      this.#deliver(packet, frames, opts);
      return;
    }
    super.broadcastWithAck(
      { ...packet },
      { ...opts, flags: { ...opts.flags, timeout: timeoutMs } },
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
      super.broadcast({ ...packet }, opts);
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
    const message = this.#toMessage(opts, { type: "fetch" });
    const values = await this.#mesh?.collect(message, this.#shardsOf(opts), opts.flags?.timeout || undefined);
    return (values ?? []) as SocketDetails[];
  }

  #say(opts: BroadcastOptions, operation: Operation, shards = this.#shardsOf(opts)): void {
    if (shards.length > 0) this.#mesh?.say(this.#toMessage(opts, operation), shards);
  }

  #toMessage(opts: BroadcastOptions, operation: Operation): ClusterMessage {
    return { ...operation, nsp: this.nsp.name, to: toTarget(opts) } as ClusterMessage;
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

const EVERYBODY: Target = { rooms: [], except: [] };

function toTarget({ rooms, except, flags }: BroadcastOptions): Target {
  const target = { rooms: [...rooms], except: [...(except ?? [])] };
  return flags?.volatile ? { ...target, volatile: true } : target;
}

export function toOptions({ rooms, except, volatile }: Target = EVERYBODY): BroadcastOptions {
  return { rooms: new Set(rooms), except: new Set(except), flags: volatile ? { volatile } : {} };
}
