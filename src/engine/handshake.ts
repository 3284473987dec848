import { encodeFrame, type Frame } from "../codec/index.ts";
import type { ResolvedEngineOptions } from "./options.ts";
import type { Session } from "./session.ts";

/** The first frames of a session: the handshake, and the application's initial packet. */
export function toOpenFrames(session: Session, options: ResolvedEngineOptions): Frame[] {
  const { transports, allowUpgrades, initialPacket } = options;
  const canUpgrade =
    session.state.transport === "polling" && allowUpgrades && transports.includes("websocket");
  const open = JSON.stringify({
    sid: session.id,
    upgrades: canUpgrade ? ["websocket"] : [],
    pingInterval: options.pingInterval,
    pingTimeout: options.pingTimeout,
    maxPayload: options.maxHttpBufferSize,
  });
  const frames: Frame[] = [encodeFrame({ type: "open", data: open })];
  if (initialPacket !== undefined) frames.push(encodeFrame({ type: "message", data: initialPacket }));
  return frames;
}
