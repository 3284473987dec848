import type { SocketPacket } from "../../codec/index.ts";
import type { EndCode } from "../../engine/end-codes.ts";
import type { Dispatcher } from "../../shared/event-emitter.ts";
import type { Untyped } from "../../shared/untyped.ts";
import type { DisconnectReason } from "../api/socket-types.ts";
import type { Member, MemberClient, MemberState } from "../rooms/member.ts";
import type { Handshake } from "./handshake.ts";
import type { WorkOwner } from "./keep-alive.ts";

/** A public socket as the parts below it see it. The types of its events and of `data` belong to user code. */
export interface LocalSocket extends Dispatcher {
  readonly id: string;
  /** Tells it from the details of a socket that lives in another object. */
  readonly client: unknown;
  readonly handshake: Handshake;
  readonly rooms: Set<string>;
  data: Untyped;
  join(rooms: string[]): Promise<void> | void;
  leave(room: string): Promise<void> | void;
  disconnect(close?: boolean): unknown;
}

/** What sockets and namespaces ask of a connection. */
export interface MemberConnection extends MemberClient, WorkOwner {
  /** All sockets of the connection by namespace. Those that sleep are loaded. */
  loadSockets(): Map<string, LocalSocket>;
  send(packet: SocketPacket): void;
  /** As `send`, but logs what the parser throws, so that the work of the caller is completed. */
  sendSafely(packet: SocketPacket): void;
  /** Closes the connection, with all of its sockets. `why`: what was wrong, if the code does not say it all. */
  close(code: EndCode, why?: Error): Promise<void> | void;
  /** A namespace has accepted a socket of this connection. */
  onJoined(member: SocketMember): void;
  /** A socket has left its namespace. */
  onLeft(member: SocketMember): void;
  /** Server code lets one socket go. */
  leave(member: SocketMember): void;
  /** Server code ends the connection, and all of its sockets with it. */
  disconnect(): void;
  /** The server shuts down: the socket ends without a packet. */
  shutDown(member: SocketMember): Promise<void> | void;
  /** The code of today does not create the member's namespace: the socket ends, and the others stay. */
  dropUnknown(member: SocketMember): void;
  /** A handler has settled: it may have changed the request unseen. */
  findChanges(): void;
}

/** What connections, namespaces and rooms ask of a socket that is in memory. */
export interface SocketControl extends MemberState {
  readonly socket: LocalSocket;
  readonly phase: "connecting" | "connected" | "closed";
  /** Whether `connection` listeners are running, for the first time or again. */
  readonly isSettingUp: boolean;
  /** Whether its `connection` listeners have run in this instance. */
  readonly isResumed: boolean;
  /** Whether they are running again. */
  readonly isResuming: boolean;
  /** The namespace has accepted the socket: informs its client, and runs the `connection` listeners. */
  connect(): void;
  /** Runs the `connection` listeners again, muted. */
  resume(): Promise<void>;
  /** Gets the packets of its client. */
  readonly inbox: { receive(packet: SocketPacket): void };
  /** An acknowledgement needs no listeners, so it is accepted at any time. */
  onAck(packet: SocketPacket): void;
  onError(error: unknown): void;
  close(reason: DisconnectReason, description?: unknown): void;
  /** Leaves rooms and namespace without an event. */
  cleanUp(): void;
}

/** A member of a namespace, with its connection and its socket once these are in memory. */
export type SocketMember = Member<MemberConnection, SocketControl>;
