import { encodeFrame, type Frame } from "../codec/index.ts";
import type { SessionId } from "../shared/ids.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { RequestRecord } from "./request.ts";
import type { TransportName } from "./state.ts";

/** What a session knows of its client since the handshake, as it is stored. It never changes, except for `b64`. */
export interface HandshakeRecord {
  readonly protocol: 3 | 4;
  /** The client wants binary messages as base64. An upgrade may change it, since it belongs to the transport. */
  readonly b64: boolean;
  /** The client's address as Cloudflare saw it. */
  readonly address: string;
  readonly secure: boolean;
  /** When the session was opened, ms. */
  readonly openedAt: number;
  readonly request: RequestRecord;
  /** JSON of what `handshakeData` returned: empty for nothing, absent when the option was not set. */
  readonly data?: string | undefined;
}

/** The first frames of a session: the handshake, and the application's initial packet. */
export function toOpenFrames(
  sid: SessionId,
  transport: TransportName,
  options: ResolvedEngineOptions,
): Frame[] {
  const { transports, allowUpgrades, initialPacket } = options;
  const canUpgrade = transport === "polling" && allowUpgrades && transports.includes("websocket");
  const open = JSON.stringify({
    sid,
    upgrades: canUpgrade ? ["websocket"] : [],
    pingInterval: options.pingInterval,
    pingTimeout: options.pingTimeout,
    maxPayload: options.maxHttpBufferSize,
  });
  const frames: Frame[] = [encodeFrame({ type: "open", data: open })];
  if (initialPacket !== undefined) frames.push(encodeFrame({ type: "message", data: initialPacket }));
  return frames;
}
