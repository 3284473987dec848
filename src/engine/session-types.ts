import type { EnginePacket } from "../codec/index.ts";
import type { CloseReason, TransportName } from "./state.ts";

export type SessionEvents = {
  message: (data: string | Uint8Array) => void;
  data: (data: string | Uint8Array) => void;
  close: (reason: CloseReason, description?: unknown) => void;
  upgrading: (transport: { readonly name: TransportName }) => void;
  upgrade: (transport: { readonly name: TransportName }) => void;
  packet: (packet: EnginePacket) => void;
  packetCreate: (packet: EnginePacket) => void;
  flush: (packets: readonly EnginePacket[]) => void;
  drain: () => void;
  heartbeat: () => void;
};

/** The transport as user code sees it. */
export interface SessionTransport {
  readonly name: TransportName;
  readonly writable: boolean;
}
