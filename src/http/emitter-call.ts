import type { Frame, SocketPacket } from "../codec/index.ts";
import { EVENT } from "../codec/socket-packet.ts";
import { assertFree } from "../server/api/reserved.ts";
import type { HandshakeData, ServerTypes } from "../server/api/socket-types.ts";
import type { Mesh } from "../server/cluster/mesh.ts";
import type { ClusterMessage } from "../server/cluster/messages.ts";
import type { Handshake } from "../server/sockets/handshake.ts";
import { toPlain } from "../server/state/plain-copy.ts";
import type { Untyped } from "../shared/untyped.ts";

/** A socket as somebody outside its object sees it: a snapshot. */
export interface RemoteDetails<SocketData = Untyped, Types extends ServerTypes = Untyped> {
  readonly id: string;
  readonly handshake: Handshake<HandshakeData<Types>>;
  readonly rooms: readonly string[];
  readonly data: SocketData;
}

/** One operation of an emitter, as it travels to the object: plain data. */
export interface EmitterCall {
  readonly nsp: string;
  readonly rooms: readonly string[];
  readonly except: readonly string[];
  readonly isVolatile: boolean;
  readonly operation:
    | { readonly type: "emit" | "server"; readonly args: readonly [event: string, ...args: unknown[]] }
    | { readonly type: "join" | "leave"; readonly rooms: readonly string[] }
    | { readonly type: "disconnect"; readonly close: boolean }
    | { readonly type: "fetch" };
}

/** The part of a server that an emitter uses. */
interface Broadcaster {
  readonly _internals: {
    readonly context: {
      readonly recovery: { readonly log: EventLog } | undefined;
      readonly parser: { encode(packet: SocketPacket): readonly Frame[] };
      readonly host: { readonly mesh?: Mesh | undefined };
    };
    readonly namespaces: { find(name: string): Namespace | undefined };
  };
}

interface Namespace {
  readonly adapter: { serverSideEmit(packet: unknown[]): void };
  to(rooms: string[]): Operator;
  _onServerSideEmit(args: [string, ...unknown[]]): void;
}

interface EventLog {
  encode(packet: SocketPacket, rooms: Iterable<string>, except: Iterable<string>): unknown;
}

interface Operator {
  readonly volatile: Operator;
  except(rooms: string[]): Operator;
  emit(event: string, ...args: unknown[]): boolean;
  socketsJoin(rooms: string[]): void;
  socketsLeave(rooms: string[]): void;
  disconnectSockets(close: boolean): void;
  fetchSockets(): Promise<Iterable<FetchedSocket>>;
}

interface FetchedSocket {
  readonly id: string;
  readonly handshake: Handshake;
  readonly rooms: Iterable<string>;
  readonly data: unknown;
}

/**
 * Carries out an operation of an emitter, inside the object. It creates no namespace, since clients could then join one
 * that has no middleware.
 */
export async function performCall(io: Broadcaster, call: EmitterCall): Promise<RemoteDetails[] | undefined> {
  const nsp = io._internals.namespaces.find(call.nsp);
  if (nsp === undefined) return performForNobody(io, call);
  const chosen = nsp.to([...call.rooms]);
  const excepted = call.except.length === 0 ? chosen : chosen.except([...call.except]);
  const operator = call.isVolatile ? excepted.volatile : excepted;
  const { operation } = call;
  switch (operation.type) {
    case "emit":
      operator.emit(...operation.args);
      return undefined;
    case "server":
      nsp.adapter.serverSideEmit([...operation.args]);
      nsp._onServerSideEmit([...operation.args]);
      return undefined;
    case "join":
      operator.socketsJoin([...operation.rooms]);
      return undefined;
    case "leave":
      operator.socketsLeave([...operation.rooms]);
      return undefined;
    case "disconnect":
      operator.disconnectSockets(operation.close);
      return undefined;
    case "fetch":
      return Array.from(await operator.fetchSockets(), toDetails);
  }
}

/**
 * Nobody in this object is in the namespace now, but clients that were may come back to it, and other objects may have
 * it.
 */
function performForNobody(
  io: Broadcaster,
  { nsp, operation, isVolatile, ...to }: EmitterCall,
): [] | undefined {
  const { recovery, parser, host } = io._internals.context;
  if (operation.type === "fetch") return [];
  const target = { rooms: to.rooms, except: to.except, volatile: isVolatile };
  let message: ClusterMessage;
  if (!("args" in operation)) message = { ...operation, nsp, to: target };
  else if (operation.type === "server") message = { type: "emit", nsp, args: operation.args };
  else {
    assertFree(operation.args[0]);
    const packet: SocketPacket = { type: EVENT, nsp, data: operation.args };
    message = { type: "broadcast", nsp, to: target, frames: parser.encode({ ...packet }) };
    if (!isVolatile) recovery?.log.encode(packet, to.rooms, to.except);
  }
  host.mesh?.say(message, host.mesh.peers.all());
  return undefined;
}

/** A copy, because `data` may be a proxy, and only plain data can be sent to the Worker. */
function toDetails({ id, handshake, rooms, data }: FetchedSocket): RemoteDetails {
  const details = { id, handshake: { ...handshake }, rooms: [...rooms], data };
  return structuredClone(toPlain(details)) as RemoteDetails;
}
