import type { PendingPacket } from "../codec/index.ts";
import type { Session } from "../engine/session.ts";
import type { Decoder } from "./parser.ts";

/** How long the rest of a packet may take, ms: it keeps the object awake. */
const REST_MS = 10_000;

const SETTLED = Promise.resolve();

/**
 * A packet of which attachments are still to come: waits for them awake, and with a session that polls in storage too,
 * since its parts may come in requests of their own.
 */
export class HalfPacket {
  readonly #decoder: Decoder;
  readonly #conn: Session;
  readonly #giveUp: () => void;
  #timer: Parameters<typeof clearTimeout>[0];
  #isSaved = false;

  constructor(decoder: Decoder, conn: Session, giveUp: () => void) {
    this.#decoder = decoder;
    this.#conn = conn;
    this.#giveUp = giveUp;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** Another part has come, and more are due. */
  waitOn(): void {
    this.#timer ??= setTimeout(this.#giveUp, REST_MS);
    if (this.#conn.transport.name === "polling") SETTLED.then(() => this.#save());
  }

  /** Goes on with what an earlier instance had received. */
  restore(pending: PendingPacket): void {
    this.#decoder.restore(pending);
    this.#isSaved = true;
    this.#timer = setTimeout(this.#giveUp, REST_MS);
  }

  /** The packet is complete, or the connection over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isSaved) this.#conn.changed();
    this.#isSaved = false;
  }

  #save(): void {
    // Most packets are complete by the end of the body that they began in.
    if (!this.#decoder.isPending) return;
    this.#isSaved = true;
    this.#conn.changed();
  }
}
