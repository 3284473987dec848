import { CONNECT_ERROR } from "../../codec/socket-packet.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";
import type { Dispatcher } from "../../shared/event-emitter.ts";
import { SETTLED } from "../../shared/settled.ts";
import { MOST_REFUSALS, SOCKET_BYTES } from "../constants.ts";
import type { ServerContext } from "../context.ts";
import { ConnectRequest } from "../namespaces/connect-request.ts";
import { toRefusal } from "../namespaces/lookup.ts";
import type { NamespaceRegistry } from "../namespaces/namespace-registry.ts";
import type { NamespaceState } from "../namespaces/namespace-state.ts";
import type { PendingWork } from "./keep-alive.ts";
import type { MemberConnection, SocketMember } from "./socket-member.ts";

/** The namespaces of a server, as connections find them. */
export type Namespaces = NamespaceRegistry<
  Dispatcher & { name: string; readonly _internals: NamespaceState }
>;

/** A connection that asks for namespaces. */
interface Asking extends MemberConnection {
  /** Its sockets by namespace. */
  readonly members: ReadonlyMap<string, SocketMember>;
  readonly isClosed: boolean;
}

/** A CONNECT that has no answer yet. */
interface Attempt {
  /** There once something is waited for. */
  work: PendingWork | undefined;
  /** The socket, once middlewares have it. */
  member: SocketMember | undefined;
}

/** The CONNECT packets of one connection. Counts the memory of its sockets, connected ones and those that are to be. */
export class Connecting {
  readonly #context: ServerContext;
  readonly #namespaces: Namespaces;
  readonly #connection: Asking;
  readonly #attempts = new Map<string, Attempt>();
  #refusals = 0;
  #bytes = 0;

  constructor(context: ServerContext, namespaces: Namespaces, connection: Asking) {
    this.#context = context;
    this.#namespaces = namespaces;
    this.#connection = connection;
  }

  /** The client asks for a namespace. */
  connect(name: string, auth: unknown): void {
    // To a second CONNECT before the answer to the first, that answer is enough.
    if (this.#attempts.has(name)) return;
    const count = this.#connection.members.size + this.#attempts.size;
    const refusal = toRefusal(this.#context.limits, count, name, auth);
    if (refusal !== undefined) {
      this.#refuse(name, refusal);
      return;
    }
    const attempt: Attempt = { work: undefined, member: undefined };
    this.#attempts.set(name, attempt);
    this.count();
    SETTLED.then(() => {
      if (this.#connection.isClosed) return;
      this.#namespaces.search(name, auth, (nsp) => this.#enter(name, auth, nsp?._internals));
      // Most clients are in by now. The others wait for a middleware, a dynamic namespace or recovery.
      if (this.#attempts.has(name) && !this.#connection.isClosed)
        attempt.work = this.#context.keepAlive.begin(this.#connection, true, estimateMemory(auth));
    });
  }

  /** The number of sockets has changed. The connection may be closed for what they take. */
  count(): void {
    const before = this.#bytes;
    this.#bytes = SOCKET_BYTES * Math.max(0, this.#connection.members.size + this.#attempts.size - 1);
    this.#connection.conn.account.add(this.#bytes - before);
  }

  /** The client has gone. A middleware that never answers must not keep the object awake, or take memory, for it. */
  close(): void {
    for (const { work, member } of this.#attempts.values()) {
      this.#context.keepAlive.end(work);
      if (member?.state?.phase === "connecting") member.state.cleanUp();
    }
  }

  #enter(name: string, auth: unknown, nsp: NamespaceState | undefined): void {
    const done = this.#context.diagnostics.attempt("connect", () => {
      if (this.#connection.isClosed) return undefined;
      return nsp === undefined ? this.#refuse(name, "Invalid namespace") : this.#request(nsp, auth);
    });
    const end = () => {
      this.#context.keepAlive.end(this.#attempts.get(name)?.work);
      this.#attempts.delete(name);
      this.count();
    };
    if (done === undefined) end();
    else done.then(end, end);
  }

  #request(nsp: NamespaceState, auth: unknown): Promise<void> | void {
    const attempt = this.#attempts.get(nsp.name);
    return nsp.whileConnecting(() =>
      new ConnectRequest(nsp, this.#connection, auth).run((member) => {
        if (attempt !== undefined) attempt.member = member;
      }),
    );
  }

  #refuse(nsp: string, message: string): void {
    if (++this.#refusals > MOST_REFUSALS) {
      this.#connection.conn.account.end(`more than ${MOST_REFUSALS} CONNECTs were refused`);
      return;
    }
    this.#context.host.observe?.({
      type: "refusal",
      code: "NAMESPACE_REFUSED",
      nsp,
      message,
    });
    this.#connection.send({ type: CONNECT_ERROR, nsp, data: { message } });
  }
}
