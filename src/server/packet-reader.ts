import type { PendingPacket, SocketPacket } from "../codec/index.ts";
import type { Session } from "../engine/session.ts";
import type { Parser } from "./parser.ts";

/** How long the rest of a packet may take over WebSocket, ms: the object stays awake for it. */
const REST_OF_PACKET_MS = 10_000;
/** What a message takes that waits, besides its own bytes: a header waits as text and as data. */
const HELD_BYTES = 200;

/**
 * Makes packets of a connection's messages, and looks after one of which only a part has come.
 *
 * part of a packet --> WebSocket: a timer keeps the object awake --> the rest comes | time is over: `onLate`
 *                      polling:   it is saved with the session   --> the rest comes, in whatever instance
 */
export class PacketReader {
  readonly #conn: Session;
  readonly #onLate: () => void;
  readonly #decoder: ReturnType<Parser["createDecoder"]>;
  #isSaved = false;
  /** What has come takes so much, besides what counts as the session's record. */
  #bytes = 0;
  #timer: Parameters<typeof clearTimeout>[0];

  constructor(conn: Session, parser: Parser, onLate: () => void) {
    this.#conn = conn;
    this.#onLate = onLate;
    this.#decoder = parser.createDecoder();
  }

  /** Goes on with what an earlier instance was left with. */
  restore(pending: PendingPacket): void {
    this.#decoder.restore(pending);
    this.#isSaved = true;
  }

  /** The packet that is complete with this message; undefined when more has to come. @throws for what is no packet */
  read(message: string | Uint8Array): SocketPacket | undefined {
    const packet = this.#decoder.add(message);
    if (packet === undefined) this.#awaitRest(message);
    else if (this.#timer !== undefined || this.#isSaved) this.#endWait();
    return packet;
  }

  snapshot(): PendingPacket | undefined {
    return this.#decoder.snapshot();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#decoder.reset();
    this.#charge(-this.#bytes);
  }

  #charge(bytes: number): void {
    this.#bytes += bytes;
    this.#conn.account.add(bytes);
  }

  #awaitRest(message: string | Uint8Array): void {
    if (!this.#decoder.isPending) return;
    this.#charge(HELD_BYTES + message.length * (typeof message === "string" ? 2 : 1));
    if (!this.#decoder.isPending) return;
    if (this.#conn.transport.name === "websocket")
      this.#timer ??= setTimeout(this.#onLate, REST_OF_PACKET_MS);
    else Promise.resolve().then(() => this.#save());
  }

  /** A body may hold all of the packet: what is complete by the end of it needs no row. */
  #save(): void {
    if (!this.#decoder.isPending) return;
    this.#isSaved = true;
    this.#conn.changed();
  }

  #endWait(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#charge(-this.#bytes);
    if (this.#isSaved) this.#conn.changed();
    this.#isSaved = false;
  }
}
