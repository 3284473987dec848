import type { Frame, SocketPacket } from "../../codec/index.ts";
import { EVENT } from "../../codec/socket-packet.ts";
import type { BroadcastFlags, Room } from "../api/socket-types.ts";
import type { Parser } from "../sockets/parser.ts";
import type { Recovery } from "./recovery.ts";

/** Parts of the server that take part in sending an event. */
interface Sender {
  readonly parser: Parser;
  readonly recovery: Recovery | undefined;
}

/**
 * Encodes an event for its receivers. With connection state recovery the event is also logged, for those of them that
 * are away, unless it is volatile or asks for an acknowledgement.
 */
export function encodeEvent(
  { parser, recovery }: Sender,
  packet: SocketPacket,
  flags: BroadcastFlags | undefined,
  rooms: Iterable<Room>,
  except?: Iterable<Room>,
): readonly Frame[] {
  const isLogged = packet.type === EVENT && packet.id === undefined && !flags?.volatile;
  if (recovery === undefined || !isLogged) return parser.encode(packet);
  return recovery.encode(packet, rooms, except);
}
