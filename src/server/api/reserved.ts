import { RESERVED_EVENTS } from "../../codec/index.ts";

/** Events that namespaces emit themselves, so no other server may send them. */
export const RESERVED_SERVER_SIDE: ReadonlySet<unknown> = new Set(["connect", "connection", "new_namespace"]);

/** @throws Error for an event that nobody but the server emits */
export function assertFree(event: unknown, reserved: ReadonlySet<unknown> = RESERVED_EVENTS): void {
  if (reserved.has(event)) throw new Error(`"${String(event)}" is a reserved event name; choose another`);
}
