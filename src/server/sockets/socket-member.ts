import type { Member } from "../rooms/member.ts";
import type { Client } from "./client.ts";
import type { SocketState } from "./socket-state.ts";

/** A member of a namespace, with the connection and the socket that it has once these are in memory. */
export type SocketMember = Member<Client, SocketState>;
