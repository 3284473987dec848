import { RESERVED_EVENTS, type SocketPacket } from "../../codec/index.ts";
import { ACK } from "../../codec/socket-packet.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import { CatchAll } from "../api/catch-all.ts";
import type { Event } from "../api/events.ts";
import { runMiddlewares } from "../api/middlewares.ts";
import type { AnyNamespace } from "../api/namespace.ts";
import type { Core } from "../core.ts";
import type { Hold } from "./awake.ts";
import type { Client } from "./client.ts";
import type { AckCallback } from "./pending-acks.ts";
import type { SocketState } from "./socket-state.ts";

/** What an acknowledgement takes that a handler owes, besides the event's arguments. */
const OWED_BYTES = 500;

export type EventMiddleware = (event: Event, next: (err?: Error) => void) => void;

/**
 * The way of a client's event through its socket, and the acknowledgements that handlers owe.
 *
 * EVENT --> catch-all listeners --> middlewares --> listeners, if the socket is still connected
 */
export class Inbox {
  readonly catchAll = new CatchAll();
  readonly middlewares: EventMiddleware[] = [];
  readonly #core: Core;
  readonly #state: SocketState;
  readonly #nsp: AnyNamespace;
  readonly #client: Client;
  #owed: Set<Hold> | undefined;

  constructor(state: SocketState, nsp: AnyNamespace, client: Client) {
    this.#core = nsp._core;
    this.#state = state;
    this.#nsp = nsp;
    this.#client = client;
  }

  receive(packet: SocketPacket): void {
    const args = packet.data as unknown[] | undefined;
    if (!Array.isArray(args) || args.length === 0) return;
    if (this.#core.parser.isForeign && RESERVED_EVENTS.has(args[0])) return;
    // An answer to what nobody hears comes from nobody: it is not waited for, as on Node.
    if (!this.#isHeard(args[0] as string)) return;
    const reply = packet.id == null ? undefined : this.#createReply(packet.id);
    if (reply !== undefined) args.push(reply.send);
    if (this.catchAll.size > 0) this.catchAll.notify(this.#state.socket, args, this.#core.onError);
    if (this.middlewares.length === 0) this.#deliver(args);
    else this.#passMiddlewares(args as Event);
    // A handler may have let its socket go: nobody waits then.
    if (reply === undefined || reply.isSent || this.#state.phase !== "connected") return;
    reply.hold = this.#owe(estimateMemory(args));
  }

  #isHeard(event: string): boolean {
    if (this.catchAll.size > 0 || this.middlewares.length > 0) return true;
    return this.#state.socket.listenerCount(event) > 0;
  }

  /** Keeps the object awake for an acknowledgement that a handler owes. Who has too many open is closed. */
  #owe(bytes: number): Hold {
    this.#owed ??= new Set();
    const owed = this.#owed;
    const hold = this.#core.awake.hold(this.#client, true, OWED_BYTES + bytes);
    owed.add(hold);
    hold.onRelease = () => owed.delete(hold);
    const { maxOwedAcks } = this.#core.options;
    if (owed.size > maxOwedAcks) {
      this.#client.conn.account.end(`more than ${maxOwedAcks} acknowledgements are owed (maxOwedAcks)`);
    }
    if (this.#state.phase !== "connected") this.close();
    return hold;
  }

  /** The function at the end of an event's arguments. Only its first call counts. */
  #createReply(id: number): { send: AckCallback; isSent: boolean; hold: Hold | undefined } {
    const reply = {
      isSent: false,
      hold: undefined as Hold | undefined,
      send: (...args: unknown[]) => {
        if (reply.isSent) return;
        reply.isSent = true;
        this.#core.awake.release(reply.hold);
        this.#client._send({ type: ACK, nsp: this.#nsp.name, id, data: args });
      },
    };
    return reply;
  }

  #passMiddlewares(args: Event): void {
    const onThrown = (thrown: unknown) => {
      this.#core.onError(thrown, args[0]);
      // Nothing may be thrown, too, and no error lets the event pass.
      return thrown || new Error("refused");
    };
    runMiddlewares(this.middlewares, args, onThrown, (error) => {
      if (error) this.#state.onError(error);
      else this.#deliver(args);
    });
  }

  #deliver(args: readonly unknown[]): void {
    if (this.#state.phase === "connected") this.#state.run(args);
  }

  /** Nobody waits for what is owed any more. */
  close(): void {
    for (const hold of this.#owed ?? []) this.#core.awake.release(hold);
  }
}
