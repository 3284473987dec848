import type { ServerContext } from "../context.ts";
import type { NamespaceState } from "../namespaces/namespace-state.ts";
import type { MemberConnection, SocketControl, SocketMember } from "./socket-member.ts";

/** What the parts of one socket know of it. */
export interface SocketScope extends SocketControl {
  readonly context: ServerContext;
  readonly nsp: NamespaceState;
  readonly connection: MemberConnection;
  readonly member: SocketMember;
  /** Whether user code has put anything on the socket, or looked at its handshake. */
  readonly hasKeptValues: boolean;
  /** @throws Error when the socket is used outside its instance */
  checkInstance(): void;
  /** A handler has settled: looks for changes that nothing has reported. */
  findChanges(): void;
}
