import type { Untyped } from "../../shared/untyped.ts";
import type { EventsMap } from "./events.ts";
import type { Namespace, NamespaceReservedEvents } from "./namespace.ts";
import type { ServerTypes } from "./socket-types.ts";

/** What the main namespace, and so the server, emits itself. */
export interface ServerReservedEvents<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
  Types extends ServerTypes,
> extends NamespaceReservedEvents<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types> {
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData, Types>,
  ) => void;
}

/** Decides whether a client may have a namespace that does not exist yet. */
export type NamespaceMatcher = (
  name: string,
  auth: { [key: string]: Untyped },
  next: (error: Error | null, isAllowed: boolean) => void,
) => void;
