import { type EngineRequest, toQuery } from "../../engine/request.ts";
import type { Session } from "../../engine/session.ts";
import { Overlay } from "../state/overlay.ts";
import type { TrackedOwner } from "../state/replay-tracker.ts";
import type { SocketMember } from "./socket-member.ts";

/**
 * Makes `socket.request`, which all sockets of a connection share, and keeps what user code changes in it.
 * @param members the sockets of the connection, by namespace
 * @param stored what was changed in an earlier instance
 */
export function keepRequest(
  { method, url, headers, socket, connection }: EngineRequest,
  conn: Session,
  context: TrackedOwner["context"],
  members: ReadonlyMap<string, SocketMember>,
  stored: Record<string, unknown> | undefined,
): Overlay<EngineRequest> {
  const states = () => Array.from(members.values(), ({ state }) => state);
  const owner: TrackedOwner = {
    context,
    get isSettingUp() {
      return states().some((state) => state?.isSettingUp);
    },
    get isResumed() {
      return states().every((state) => state?.isResumed);
    },
    markDirty: () => conn.changed(),
  };
  const create = () => ({ method, url, headers, socket, connection, _query: toQuery(url) });
  return new Overlay(owner, "socket.request", create, stored);
}
