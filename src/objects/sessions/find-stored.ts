import type { StoredState } from "../../engine/state.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { Platform } from "../platform.ts";
import type { StoredSession } from "../storage/session-store.ts";
import type { HibernatingSession } from "./hibernating-session.ts";
import { socketTag } from "./socket-tags.ts";

/** Where a session was found, and what is stored of it. */
export interface Found {
  readonly session: StoredSession;
  readonly socket: WebSocket | undefined;
}

/** Sees what the server has stored of a session. When it returns false, the session is closed. */
export type RecordVisitor = (sid: SessionId, record: unknown) => boolean;

/** How {@link findAllStored} is asked. */
interface Search {
  /** Whether a session is in memory: it is left out. */
  isLive(sid: string): boolean;
  /** Sees each session; without it, some rows need not be read. */
  readonly visit?: RecordVisitor | undefined;
  /** Removes a session for which `visit` has thrown. */
  discard(found: Found, error: unknown): void;
}

/** Finds one stored session without looking at the others. */
export function findStored({ ctx, persists, store }: Platform, sid: string): Found | undefined {
  if (!persists) return undefined;
  for (const socket of ctx.getWebSockets(socketTag(sid))) {
    const session = store.sessionOf(store.roleOf(socket));
    if (session !== undefined) return { session, socket };
  }
  const session = store.readPolling(sid);
  return session && { session, socket: undefined };
}

/** Finds all stored sessions, in the order in which they were opened. */
export function findAllStored(
  { ctx, persists, store }: Platform,
  { isLive, visit, discard }: Search,
): Map<string, HibernatingSession> {
  const found = new Map<string, HibernatingSession>();
  if (!persists) return found;
  const add = (sid: string, state: StoredState, hasJoined: boolean, socket: WebSocket | undefined) => {
    const hibernating = toHibernating(sid as SessionId, state, hasJoined, socket);
    found.set(sid, hibernating);
    return hibernating;
  };
  const show = (session: StoredSession, socket: WebSocket | undefined) => {
    const { sid, state, record } = session;
    if (isLive(sid)) return;
    const hibernating = add(sid, state, record !== undefined, socket);
    try {
      if (visit?.(hibernating.sid, record) === false) hibernating.isOver = true;
    } catch (error) {
      found.delete(sid);
      discard({ session, socket }, error);
    }
  };
  // The runtime lists the newest first. Whether a socket is open is not asked, since that takes half as long as reading
  // its attachment: a socket that has closed has a session until its close event, as it would in memory.
  for (const socket of ctx.getWebSockets().reverse()) {
    const role = store.roleOf(socket);
    if (role?.k === "s") show(role, socket);
    else if (role?.k !== "o" || isLive(role.sid)) continue;
    // The row is read only for a visitor.
    else if (visit === undefined) add(role.sid, role.state, role.idle !== true, socket);
    else {
      const session = store.sessionOf(role);
      if (session !== undefined) show(session, socket);
    }
  }
  for (const session of store.polling()) show(session, undefined);
  return found;
}

function toHibernating(
  sid: SessionId,
  state: StoredState,
  hasJoined: boolean,
  socket: WebSocket | undefined,
): HibernatingSession {
  const isIdle = !hasJoined && state.phase !== "closing";
  if (state.queue === undefined) return { sid, socket, state, isIdle };
  // The state is copied only for a row of version 1: to copy each takes time.
  return { sid, socket, state: { ...state, queue: undefined }, isIdle, isOld: true };
}
