import type { Frame, PendingPacket, SocketPacket } from "../../codec/index.ts";
import type { Session } from "../../engine/session.ts";
import type { Timer, Timers } from "../../shared/timers.ts";
import type { Parser } from "./parser.ts";

/** Estimated memory of a message that waits, besides its own bytes: a header waits as text and as data. */
const HELD_BYTES = 200;

/**
 * Decodes the messages of one connection, and keeps a packet of which only a part has arrived.
 *
 * part of a packet --> WebSocket: a timer keeps the object awake --> the rest arrives | it does not in time: `onLate`
 *                      polling:   it is stored with the session  --> the rest arrives, perhaps in another instance
 */
export class PacketReader {
  readonly #conn: Session;
  readonly #onLate: (why: Error) => void;
  readonly #decoder: ReturnType<Parser["createDecoder"]>;
  /** What is counted for the part that has arrived. */
  #bytes = 0;
  /** Whether an earlier instance may have stored a part of a packet. */
  #mayHavePart: boolean;
  /** How many messages are stored. */
  #saved = 0;
  readonly #isForeign: boolean;
  readonly #timers: Timers;
  #timer: Timer | undefined;

  /** `onDecoded` gets the packets of a foreign decoder, which may answer later. */
  constructor(
    conn: Session,
    parser: Parser,
    timers: Timers,
    onLate: (why: Error) => void,
    onDecoded: Parameters<Parser["createDecoder"]>[0],
  ) {
    this.#conn = conn;
    this.#timers = timers;
    this.#onLate = onLate;
    this.#isForeign = parser.isForeign;
    this.#decoder = parser.createDecoder((decoded) => {
      this.#endWait();
      onDecoded(decoded);
    });
    this.#mayHavePart = conn.recovered;
  }

  /** Takes over a part that an earlier version of this code has stored elsewhere. */
  restore(pending: PendingPacket): void {
    this.#takeOver(pending as readonly Frame[]);
    this.#saved = 0;
    this.#save();
  }

  /**
   * Returns the packet that this message completes, if it does.
   * @throws what the decoder throws for an invalid message
   */
  read(message: string | Uint8Array): SocketPacket | undefined {
    if (this.#mayHavePart) this.#takeOver(this.#conn.half.readHalf());
    const packet = this.#decoder.add(message);
    if (packet === undefined) this.#awaitRest(message);
    else if (this.#timer !== undefined || this.#saved > 0) this.#endWait();
    return packet;
  }

  stop(): void {
    this.#timers.clear(this.#timer);
    this.#decoder.reset();
    this.#charge(-this.#bytes);
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    this.#conn.account.add(bytes);
  }

  #chargeFor(message: string | Uint8Array): void {
    this.#charge(HELD_BYTES + message.length * (typeof message === "string" ? 2 : 1));
  }

  #awaitRest(message: string | Uint8Array): void {
    if (!this.#decoder.isPending) return;
    this.#chargeFor(message);
    if (!this.#decoder.isPending) return;
    // What a foreign decoder keeps cannot be stored.
    if (this.#isForeign || this.#conn.transport.name === "websocket") this.#startWait();
    else Promise.resolve().then(() => this.#save());
  }

  /**
   * A message is seen when all of it has arrived, and a large one takes its time. While it is on its way its client can
   * answer no ping, so that a client that is silent for longer than pings allow is not slow, but gone.
   */
  #startWait(): void {
    const { pingInterval, pingTimeout } = this.#conn.server.opts;
    this.#timers.clear(this.#timer);
    const late = () => this.#onLate(new Error("the rest of a binary packet did not come"));
    this.#timer = this.#timers.set(late, pingInterval + pingTimeout);
  }

  #takeOver(half: readonly Frame[]): void {
    this.#mayHavePart = false;
    if (half.length > 0) this.#decoder.restore(half);
    for (const message of half) this.#chargeFor(message);
    this.#saved = half.length;
  }

  /** Stores the messages that are new. It runs after the whole body was read, because that may complete the packet. */
  #save(): void {
    const half = this.#decoder.snapshot() ?? [];
    if (half.length <= this.#saved) return;
    this.#conn.half.keepHalf(half.slice(this.#saved) as Frame[]);
    this.#saved = half.length;
  }

  #endWait(): void {
    this.#timers.clear(this.#timer);
    this.#timer = undefined;
    this.#charge(-this.#bytes);
    if (this.#saved > 0) this.#conn.half.dropHalf();
    this.#saved = 0;
  }
}
