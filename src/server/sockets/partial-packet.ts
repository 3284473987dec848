import type { Frame, PendingPacket } from "../../codec/index.ts";
import { HELD_BYTES } from "../../engine/constants.ts";
import type { Session } from "../../engine/session.ts";
import { SETTLED } from "../../shared/settled.ts";
import type { Timer, Timers } from "../../shared/timers.ts";
import type { Decoder } from "./parser.ts";

/**
 * The packet of one connection of which only a part has arrived. Its decoder holds the part; here it is counted, and
 * kept or given up.
 *
 * part of a packet --> WebSocket: a timer keeps the object awake --> the rest arrives | it does not in time: `onLate`
 *                      polling:   it is stored with the session  --> the rest arrives, perhaps in another instance
 */
export class PartialPacket {
  readonly #conn: Session;
  readonly #decoder: Decoder;
  readonly #onLate: () => void;
  /** What is counted for the part that has arrived. */
  #bytes = 0;
  /** Whether an earlier instance may have stored a part of a packet. */
  #mayBeStored: boolean;
  /** How many messages are stored. */
  #saved = 0;
  readonly #isForeign: boolean;
  readonly #timers: Timers;
  #timer: Timer | undefined;

  constructor(conn: Session, decoder: Decoder, isForeign: boolean, timers: Timers, onLate: () => void) {
    this.#conn = conn;
    this.#decoder = decoder;
    this.#isForeign = isForeign;
    this.#timers = timers;
    this.#onLate = onLate;
    this.#mayBeStored = conn.recovered;
  }

  /** Takes over a part that an earlier version of this code has stored elsewhere. */
  restore(pending: PendingPacket): void {
    this.#takeOver(pending as readonly Frame[]);
    this.#saved = 0;
    this.#save();
  }

  /** Gives the decoder what an earlier instance has stored. It has to come before the next message. */
  load(): void {
    if (this.#mayBeStored) this.#takeOver(this.#conn.half.readHalf());
  }

  /** This message completed no packet: the rest is waited for, unless the decoder has kept nothing of it. */
  awaitRest(message: string | Uint8Array): void {
    if (!this.#decoder.isPending) return;
    this.#chargeFor(message);
    if (!this.#decoder.isPending) return;
    // What a foreign decoder keeps cannot be stored.
    if (this.#isForeign || this.#conn.transport.name === "websocket") this.#startWait();
    else SETTLED.then(() => this.#save());
  }

  /** A packet is complete. */
  complete(): void {
    if (this.#bytes === 0) return;
    this.#timers.clear(this.#timer);
    this.#timer = undefined;
    this.#charge(-this.#bytes);
    if (this.#saved > 0) this.#conn.half.dropHalf();
    this.#saved = 0;
  }

  /** The connection is over. */
  discard(): void {
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

  /**
   * A message is seen when all of it has arrived, and a large one takes its time. While it is on its way its client can
   * answer no ping, so that a client that is silent for longer than pings allow is not slow, but gone.
   */
  #startWait(): void {
    const { pingInterval, pingTimeout } = this.#conn.server.opts;
    this.#timers.clear(this.#timer);
    this.#timer = this.#timers.set(this.#onLate, pingInterval + pingTimeout);
  }

  #takeOver(half: readonly Frame[]): void {
    this.#mayBeStored = false;
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
}
