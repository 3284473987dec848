import { RESERVED_EVENTS } from "../../codec/index.ts";

/** Events that a namespace emits itself, so that another server cannot send them. */
export const RESERVED_SERVER_SIDE: ReadonlySet<unknown> = new Set(["connect", "connection", "new_namespace"]);

/** @throws Error for an event that only the server itself may emit */
export function assertFree(event: unknown, reserved: ReadonlySet<unknown> = RESERVED_EVENTS): void {
  if (reserved.has(event)) throw new Error(`"${String(event)}" is a reserved event name; choose another`);
}
