import type { Frame, SocketPacket } from "../../codec/index.ts";
import { estimateBytes } from "../../shared/estimate-bytes.ts";
import { type LogicalClock, toOffset } from "../rooms/logical-clock.ts";
import type { Parser } from "../sockets/parser.ts";
import { toPlain } from "../state/plain-copy.ts";
import type { RoomStay } from "../state/records.ts";
import type { RecoveryStore } from "./recovery-store.ts";

/** The events that are sent, kept for clients that may have missed them. */
export class PacketLog {
  readonly #store: RecoveryStore;
  readonly #parser: Parser;
  readonly #clock: LogicalClock;
  readonly #maxMissedBytes: number;

  constructor(store: RecoveryStore, parser: Parser, clock: LogicalClock, maxMissedBytes: number) {
    this.#store = store;
    this.#parser = parser;
    this.#clock = clock;
    this.#maxMissedBytes = maxMissedBytes;
  }

  /**
   * Encodes an event with its offset as the last argument, and logs it. What is logged is read back from the encoded
   * frames: the arguments that user code gave may be proxies, have methods or change later, and cannot be stored.
   */
  encode(packet: SocketPacket, rooms: Iterable<string>, except: Iterable<string> = []): readonly Frame[] {
    const { nsp } = packet;
    const data = packet.data as unknown[];
    const offset = toOffset(this.#clock.next(nsp));
    const frames = this.#parser.encode({ ...packet, data: [...data, offset] });
    const sent = this.#parser.decode(frames)?.data;
    // The decoder of another wire format may not be done at once. Then a plain copy of the arguments has to do.
    const logged = Array.isArray(sent) ? sent.slice(0, -1) : (toPlain(data) as unknown[]);
    this.#store.append(nsp, { offset, packet: logged, rooms: [...rooms], except: [...except] });
    return frames;
  }

  /**
   * The events later than `offset` that were sent to a socket, judged by the rooms it was in when each was sent.
   * Undefined when one of them could not be stored, or when they are more than may be queued for a client.
   */
  missedBy(nsp: string, offset: string, stays: readonly RoomStay[]): unknown[][] | undefined {
    const known = stays.map(({ room, from, to }) => ({ room, from: toOffset(from), to: toOffset(to) }));
    const missed: unknown[][] = [];
    let bytes = 0;
    for (const { offset: at, packet, rooms, except } of this.#store.since(nsp, offset)) {
      const wasIn = (room: string) => known.some((it) => it.room === room && it.from < at && at < it.to);
      if ((rooms.length > 0 && !rooms.some(wasIn)) || except.some(wasIn)) continue;
      bytes += estimateBytes(packet);
      // A client that is sent more than its queue may hold loses its connection, and would again at each return.
      if (packet === undefined || bytes > this.#maxMissedBytes) return undefined;
      missed.push([...packet, at]);
    }
    return missed;
  }
}
