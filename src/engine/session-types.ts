import type { EnginePacket } from "../codec/index.ts";
import type { CloseReason } from "./end-codes.ts";
import type { TransportName } from "./state.ts";

/** The events of a `Session`, with what their listeners receive. */
export type SessionEvents = {
  /** A message of the client. */
  message: (data: string | Uint8Array) => void;
  /** The same as `message`. */
  data: (data: string | Uint8Array) => void;
  /** The session has ended. `description` is an Error where the reason does not say everything. */
  close: (reason: CloseReason, description?: unknown) => void;
  /** The client tests a WebSocket, to upgrade to it. */
  upgrading: (transport: { readonly name: TransportName }) => void;
  /** The session has been upgraded to WebSocket. */
  upgrade: (transport: { readonly name: TransportName }) => void;
  /** A packet was received, of whatever type. */
  packet: (packet: EnginePacket) => void;
  /** A packet is about to be queued or sent. */
  packetCreate: (packet: CreatedPacket) => void;
  /** Packets are about to be sent. */
  flush: (packets: readonly EnginePacket[]) => void;
  /** Everything that waited has been sent. */
  drain: () => void;
  /** The client has answered a ping, or has sent one (v3). */
  heartbeat: () => void;
};

/** How frames are sent. */
export interface SendFlags {
  /** Discard them when the transport cannot take them at this moment. */
  readonly volatile?: boolean | undefined;
  /** The flag as it was given, for listeners of `packetCreate`. The runtime decides about compression. */
  readonly compress?: boolean | undefined;
}

/** A packet that is about to be sent. */
export type CreatedPacket = EnginePacket & { readonly options: { readonly compress: boolean } };
