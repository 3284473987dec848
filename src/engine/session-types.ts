import type { EnginePacket } from "../codec/index.ts";
import type { CloseReason, TransportName } from "./state.ts";

export type SessionEvents = {
  message: (data: string | Uint8Array) => void;
  data: (data: string | Uint8Array) => void;
  close: (reason: CloseReason, description?: unknown) => void;
  upgrading: (transport: { readonly name: TransportName }) => void;
  upgrade: (transport: { readonly name: TransportName }) => void;
  packet: (packet: EnginePacket) => void;
  packetCreate: (packet: CreatedPacket) => void;
  flush: (packets: readonly EnginePacket[]) => void;
  drain: () => void;
  heartbeat: () => void;
};

/** How frames are sent. */
export interface SendFlags {
  /** Drop them when the transport is not ready this moment. */
  readonly volatile?: boolean | undefined;
  /** What was asked for, for listeners of `packetCreate`: the runtime compresses as it likes. */
  readonly compress?: boolean | undefined;
}

/** A packet that is about to be sent. */
export type CreatedPacket = EnginePacket & { readonly options: { readonly compress: boolean } };
