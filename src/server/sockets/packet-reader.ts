import type { Frame, PendingPacket, SocketPacket } from "../../codec/index.ts";
import type { Session } from "../../engine/session.ts";
import type { Timer, Timers } from "../../shared/timers.ts";
import type { Parser } from "./parser.ts";

/** What a message takes that waits, besides its own bytes: a header waits as text and as data. */
const HELD_BYTES = 200;

/**
 * Makes packets of a connection's messages, and looks after one of which only a part has come.
 *
 * part of a packet --> WebSocket: a timer keeps the object awake --> the rest comes | nothing comes for long: `onLate`
 *                      polling:   it is saved with the session   --> the rest comes, in whatever instance
 */
export class PacketReader {
  readonly #conn: Session;
  readonly #onLate: (why: Error) => void;
  readonly #decoder: ReturnType<Parser["createDecoder"]>;
  /** What has come takes so much, in memory. */
  #bytes = 0;
  /** An earlier instance may have been left with the half of a packet. */
  #mayGoOn: boolean;
  /** Messages that are written down. */
  #saved = 0;
  readonly #isForeign: boolean;
  readonly #timers: Timers;
  #timer: Timer | undefined;

  /** `onDecoded` hears of what a foreign decoder makes of messages, in its own time. */
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
    this.#mayGoOn = conn.recovered;
  }

  /** Goes on with what an earlier version of this code kept elsewhere. */
  restore(pending: PendingPacket): void {
    this.#goOn(pending as readonly Frame[]);
    this.#saved = 0;
    this.#save();
  }

  /** The packet that is complete with this message; undefined when there is none yet. @throws for what is no packet */
  read(message: string | Uint8Array): SocketPacket | undefined {
    if (this.#mayGoOn) this.#goOn(this.#conn.half.readHalf());
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
    // What a foreign decoder has kept cannot be written down.
    if (this.#isForeign || this.#conn.transport.name === "websocket") this.#startWait();
    else Promise.resolve().then(() => this.#save());
  }

  /**
   * A message is seen when all of it has come, and one that is large comes slowly. While it does, its client can answer no
   * ping: who is silent for longer than that may last is no slow one.
   */
  #startWait(): void {
    const { pingInterval, pingTimeout } = this.#conn.server.opts;
    this.#timers.clear(this.#timer);
    const late = () => this.#onLate(new Error("the rest of a binary packet did not come"));
    this.#timer = this.#timers.set(late, pingInterval + pingTimeout);
  }

  #goOn(half: readonly Frame[]): void {
    this.#mayGoOn = false;
    if (half.length > 0) this.#decoder.restore(half);
    for (const message of half) this.#chargeFor(message);
    this.#saved = half.length;
  }

  /** A body may hold all of the packet: what is complete by the end of it needs no row. Only what is new is written. */
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
