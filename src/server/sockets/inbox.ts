import { RESERVED_EVENTS, type SocketPacket } from "../../codec/index.ts";
import { ACK, BINARY_EVENT, DISCONNECT, EVENT } from "../../codec/socket-packet.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import { EventEmitter } from "../../shared/event-emitter.ts";
import type { Event } from "../api/events.ts";
import { OWED_BYTES } from "../constants.ts";
import { runMiddlewares } from "../namespaces/middlewares.ts";
import { CatchAll } from "./catch-all.ts";
import type { Handlers } from "./handlers.ts";
import type { PendingWork } from "./keep-alive.ts";
import type { AckCallback } from "./pending-acks.ts";
import type { SocketScope } from "./socket-scope.ts";

/** An acknowledgement that the client of an event expects. */
interface Reply {
  readonly send: AckCallback;
  isSent: boolean;
  work: PendingWork | undefined;
}

export type EventMiddleware = (event: Event, next: (err?: Error) => void) => void;

/**
 * What the client of one socket sends, on its way to the listeners, and the acknowledgements that these owe.
 *
 * EVENT      --> catch-all listeners --> middlewares --> listeners, if the socket is still connected
 * ACK        --> the emit that waits for it
 * DISCONNECT --> the socket closes
 */
export class Inbox {
  readonly catchAll = new CatchAll();
  readonly middlewares: EventMiddleware[] = [];
  readonly #scope: SocketScope;
  readonly #handlers: Handlers;
  #owed: Set<PendingWork> | undefined;

  constructor(scope: SocketScope, handlers: Handlers) {
    this.#scope = scope;
    this.#handlers = handlers;
  }

  receive(packet: SocketPacket): void {
    const { context, socket, phase } = this.#scope;
    if (phase !== "connected") return;
    if (packet.type !== EVENT && packet.type !== BINARY_EVENT) {
      if (packet.type === DISCONNECT) this.#scope.close("client namespace disconnect");
      else this.#scope.onAck(packet);
      return;
    }
    const args = packet.data as unknown[] | undefined;
    if (!Array.isArray(args) || args.length === 0) return;
    if (context.parser.isForeign && RESERVED_EVENTS.has(args[0])) return;
    // An event without listeners will not be acknowledged. As on Node, nothing waits for that.
    if (!this.#isHeard(args[0] as string)) return;
    const reply = packet.id == null ? undefined : this.#createReply(packet.id);
    if (reply !== undefined) args.push(reply.send);
    if (this.catchAll.size > 0) this.catchAll.notify(socket, args, context.diagnostics.onError);
    if (this.middlewares.length > 0) this.#passMiddlewares(args as Event);
    else if (this.#scope.phase === "connected") this.#handlers.run(args);
    // When a handler has disconnected the socket, its client waits for nothing.
    if (reply === undefined || reply.isSent || this.#scope.phase !== "connected") return;
    reply.work = this.#owe(estimateMemory(args));
  }

  /** Nobody waits for the acknowledgements that are owed any more. */
  close(): void {
    for (const work of this.#owed ?? []) this.#scope.context.keepAlive.end(work);
  }

  #isHeard(event: string): boolean {
    if (this.catchAll.size > 0 || this.middlewares.length > 0) return true;
    return EventEmitter.isHeard(this.#scope.socket, event);
  }

  /** Keeps the object awake for an acknowledgement. A client to which too many are owed is disconnected. */
  #owe(bytes: number): PendingWork {
    this.#owed ??= new Set();
    const owed = this.#owed;
    const { context, connection } = this.#scope;
    const work = context.keepAlive.begin(connection, true, OWED_BYTES + bytes);
    owed.add(work);
    work.onEnd = () => owed.delete(work);
    const { maxOwedAcks } = context.limits;
    if (owed.size > maxOwedAcks) {
      connection.conn.account.end(`more than ${maxOwedAcks} acknowledgements are owed (maxOwedAcks)`);
    }
    if (this.#scope.phase !== "connected") this.close();
    return work;
  }

  /** The function at the end of an event's arguments. Only its first call counts. */
  #createReply(id: number): Reply {
    const reply: Reply = {
      isSent: false,
      work: undefined,
      send: (...args: unknown[]) => {
        if (reply.isSent) return;
        reply.isSent = true;
        const { context, connection, nsp } = this.#scope;
        context.keepAlive.end(reply.work);
        connection.send({ type: ACK, nsp: nsp.name, id, data: args });
      },
    };
    return reply;
  }

  #passMiddlewares(args: Event): void {
    const onThrown = (thrown: unknown) => {
      this.#scope.context.diagnostics.onError(thrown, args[0]);
      // User code may throw a falsy value, which would let the event pass.
      return thrown || new Error("refused");
    };
    runMiddlewares(this.middlewares, args, onThrown, (error) => {
      if (error) this.#scope.onError(error);
      else if (this.#scope.phase === "connected") this.#handlers.run(args);
    });
  }
}
