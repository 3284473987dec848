import { CONNECT_ERROR, EVENT } from "../../codec/socket-packet.ts";
import { randomId } from "../../shared/ids.ts";
import { runMiddlewares } from "../api/middlewares.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import { type AnySocket, Socket } from "../api/socket.ts";
import type { ExtendedError } from "../api/socket-types.ts";
import type { RecoveredSession } from "../recovery/recovery.ts";
import { Member } from "../rooms/member.ts";
import type { SocketRecord } from "../state/records.ts";
import type { Client } from "./client.ts";
import type { SocketMember } from "./socket-member.ts";
import type { SocketState } from "./socket-state.ts";

export type ConnectMiddleware = (socket: AnySocket, next: (err?: ExtendedError) => void) => void;

/**
 * Brings a client into a namespace.
 *
 * CONNECT --> (recovery: what it had and missed) --> middlewares --> CONNECT with its id, `connection` listeners
 *                                                        |--> CONNECT_ERROR
 *                                                        |--> the connection is gone: forgotten in silence
 * At once, unless recovery or a middleware has to be waited for.
 */
export function connectSocket(nsp: AnyNamespace, client: Client, auth: unknown): Promise<void> | void {
  const restored = restore(nsp, client, auth);
  if (restored === undefined) return admit(nsp, client, auth, undefined);
  return restored.then(async (found) => {
    let session = found;
    // Whoever came back with the same secret meanwhile: the last one counts. From the last look on nothing is awaited.
    for (let rival = findRival(nsp, session); rival !== undefined; rival = findRival(nsp, session)) {
      await retire(nsp, rival);
      // What was sent while that took was missed as well.
      session = await restore(nsp, client, auth);
    }
    return admit(nsp, client, auth, session);
  });
}

function admit(
  nsp: AnyNamespace,
  client: Client,
  auth: unknown,
  session: RecoveredSession | undefined,
): Promise<void> | void {
  const member = createMember(nsp, client, auth, session);
  nsp._rooms.pending.set(member.id, member);
  client._connecting.enter(member);
  const { socket } = createState(nsp, client, member, session);
  replay(nsp, client, session?.missedPackets);
  const isTrusted = session !== undefined && nsp._core.options.recovery?.skipMiddlewares === true;
  const settle = (error?: ExtendedError) => {
    const state = member.state as SocketState;
    const isOpen = client.conn.readyState === "open";
    if (isOpen && error !== undefined) refuse(nsp, client, member, error);
    else if (isOpen && catchUp(nsp, client, member, session)) enter(nsp, client, member, state);
    else {
      state.cleanUp();
      // It comes by itself, and starts anew.
      if (isOpen) client.close(new Error("what the client has come back to is gone"));
    }
  };
  if (isTrusted || nsp._middlewares.length === 0) return settle();
  return askMiddlewares(nsp, socket).then(({ error }) => settle(error as ExtendedError | undefined));
}

/** What was sent while middlewares were at work was missed as well. False: it may not come back to that any more. */
function catchUp(
  nsp: AnyNamespace,
  client: Client,
  member: SocketMember,
  session?: RecoveredSession,
): boolean {
  const at = session?.at;
  if (at === undefined) return true;
  const missed = nsp._core.attempt("recovery", () => nsp._core.recovery?.missedSince(at, member));
  replay(nsp, client, missed);
  return missed !== undefined;
}

function replay(nsp: AnyNamespace, client: Client, missed: unknown[][] = []): void {
  for (const data of missed) client._tell({ type: EVENT, nsp: nsp.name, data });
}

function enter(nsp: AnyNamespace, client: Client, member: SocketMember, state: SocketState): void {
  const { members, pending } = nsp._rooms;
  pending.delete(member.id);
  member.at = nsp._core.clock.next(nsp.name);
  members.set(member.id, member);
  client._join(member);
  state.connect();
  state.announce();
}

function refuse(nsp: AnyNamespace, client: Client, member: SocketMember, error: ExtendedError): void {
  nsp._core.recovery?.forget(member);
  member.state?.cleanUp();
  let message = "refused";
  const answer = (content: unknown) =>
    client._send({
      type: CONNECT_ERROR,
      nsp: nsp.name,
      data: client.conn.protocol === 3 ? content || message : { message, data: content },
    });
  try {
    message = error.message;
    answer(error.data);
  } catch (failure) {
    // What cannot be written goes without saying: that it is refused, the client has to hear.
    nsp._core.onError(failure, "connect");
    answer(undefined);
  }
}

function createMember(
  nsp: AnyNamespace,
  client: Client,
  auth: unknown,
  session?: RecoveredSession,
): SocketMember {
  const { host, recovery } = nsp._core;
  const id = session?.sid ?? createId(nsp, client);
  const record: SocketRecord = {
    id,
    nsp: nsp.name,
    at: 0,
    rooms: [],
    issued: host.now(),
    auth,
    parent: nsp._parent,
    pid: session?.pid ?? (recovery === undefined ? undefined : randomId()),
    since: session?.since,
    left: session?.left,
    leftSince: session?.leftSince,
    kept: session?.data === undefined ? undefined : { data: session.data },
  };
  const member: SocketMember = new Member(client.conn.id, record);
  member.client = client;
  member.record = record;
  return member;
}

/** Clients of v2 know themselves by the session's id. */
function createId(nsp: AnyNamespace, { conn }: Client): string {
  if (conn.protocol !== 3) return randomId();
  return nsp.name === "/" ? conn.id : `${nsp.name}#${conn.id}`;
}

function createState(
  nsp: AnyNamespace,
  client: Client,
  member: SocketMember,
  session?: RecoveredSession,
): SocketState {
  const socket = new Socket(nsp, client, member, session === undefined ? "new" : "recovered");
  if (session !== undefined) {
    nsp._core.attempt("addAll", () => nsp.adapter.addAll(socket.id, new Set(session.rooms)));
    const { at } = session;
    // No packet lies between those that were given back and those that find it there.
    if (at !== undefined) member.joins = Array.from(member.rooms, () => at);
  }
  return member.state as SocketState;
}

/** What a client that was away may have back; undefined when it does not ask. */
function restore(
  nsp: AnyNamespace,
  client: Client,
  auth: unknown,
): Promise<RecoveredSession | undefined> | undefined {
  const { pid, offset } = (auth ?? {}) as Record<string, unknown>;
  if (nsp._core.recovery === undefined || typeof pid !== "string") return undefined;
  if (offset !== undefined && typeof offset !== "string") return undefined;
  return recover(nsp, client, pid, offset);
}

/** Its old connection, if nobody has noticed its end, ends now. */
async function recover(
  nsp: AnyNamespace,
  client: Client,
  pid: string,
  offset: string | undefined,
): Promise<RecoveredSession | undefined> {
  const { recovery, host } = nsp._core;
  try {
    const record = recovery?.find(nsp.name, pid);
    // Once its session is in memory its socket is known, also one whose `disconnect` has yet to run.
    if (record?.at === null) host.session(record.session);
    const old = record && nsp._rooms.find(record.sid);
    if (old?.client === client) return undefined;
    if (old !== undefined) await retire(nsp, old);
    return (await nsp.adapter.restoreSession(pid, offset)) ?? undefined;
  } catch (error) {
    nsp._core.onError(error, "restoreSession");
    return undefined;
  }
}

function findRival(
  { _rooms }: AnyNamespace,
  session: RecoveredSession | undefined,
): SocketMember | undefined {
  return session && _rooms.find(session.sid);
}

/** Ends the connection of another socket with the same id, and waits until its `disconnect` has run. */
async function retire(nsp: AnyNamespace, old: SocketMember): Promise<void> {
  await nsp._core.wake(old)?.close();
  // One in middlewares is no socket of its connection yet.
  if (old.state === undefined) nsp._remove(old);
  else old.state.cleanUp();
}

/** Settles when a middleware has refused, or all have said `next`. What it was given as an error may be anything, a promise too. */
function askMiddlewares(nsp: AnyNamespace, socket: AnySocket): Promise<{ error: unknown }> {
  const onThrown = (thrown: unknown) => {
    nsp._core.host.log("error", `a middleware of namespace "${nsp.name}" failed`, thrown);
    // What was thrown may quote a query or a secret, and was meant for nobody.
    return new Error("Internal Server Error");
  };
  return new Promise((resolve) => {
    runMiddlewares(nsp._middlewares, socket, onThrown, (error) => resolve({ error }));
  });
}
