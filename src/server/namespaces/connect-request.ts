import { CONNECT_ERROR, EVENT } from "../../codec/socket-packet.ts";
import { randomId } from "../../shared/ids.ts";
import type { ExtendedError } from "../api/socket-types.ts";
import type { RecoveredSession } from "../recovery/recovery.ts";
import { Member } from "../rooms/member.ts";
import type { MemberConnection, SocketControl, SocketMember } from "../sockets/socket-member.ts";
import type { SocketRecord } from "../state/records.ts";
import { runMiddlewares } from "./middlewares.ts";
import type { NamespaceState } from "./namespace-state.ts";

/**
 * One client that asks to connect to a namespace.
 *
 * CONNECT --> (recovery: what it had and missed) --> middlewares --> CONNECT with its id, `connection` listeners
 *                                                        |--> CONNECT_ERROR
 *                                                        `--> the connection is gone: forgotten without an answer
 *
 * All of it happens at once, unless recovery or a middleware is asynchronous.
 */
export class ConnectRequest {
  readonly #nsp: NamespaceState;
  readonly #connection: MemberConnection;
  readonly #auth: unknown;
  /** What a client that was away gets back. */
  #session: RecoveredSession | undefined;

  constructor(nsp: NamespaceState, connection: MemberConnection, auth: unknown) {
    this.#nsp = nsp;
    this.#connection = connection;
    this.#auth = auth;
  }

  /** Settles when the client has its answer. `onCreated` gets the socket before any middleware sees it. */
  run(onCreated: (member: SocketMember) => void): Promise<void> | void {
    const { pid, offset } = (this.#auth ?? {}) as Record<string, unknown>;
    const isOffset = offset === undefined || typeof offset === "string";
    if (this.#nsp.context.recovery === undefined || typeof pid !== "string" || !isOffset) {
      return this.#admit(onCreated);
    }
    return this.#recover(pid, offset, onCreated);
  }

  async #recover(
    pid: string,
    offset: string | undefined,
    onCreated: (member: SocketMember) => void,
  ): Promise<void> {
    this.#session = await this.#restore(pid, offset);
    // When another connection used the same secret meanwhile, the last one counts. Nothing is awaited after the last
    // check.
    for (let rival = this.#findRival(); rival !== undefined; rival = this.#findRival()) {
      await this.#retire(rival);
      // The client has missed what was sent during that time as well.
      this.#session = await this.#restore(pid, offset);
    }
    this.#tell(pid);
    return this.#admit(onCreated);
  }

  /** Ends the old connection, if its end was not noticed, and fetches what the client may have back. */
  async #restore(pid: string, offset: string | undefined): Promise<RecoveredSession | undefined> {
    const { rooms, adapter, name, context } = this.#nsp;
    try {
      const record = context.recovery?.find(name, pid);
      // With its session in memory its socket is known, even one whose `disconnect` has yet to run.
      if (record?.at === null) context.host.session(record.session);
      const old = record && rooms.find(record.sid);
      if (old?.client === this.#connection) return undefined;
      if (old !== undefined) await this.#retire(old);
      return (await adapter.restoreSession(pid, offset)) ?? undefined;
    } catch (error) {
      context.diagnostics.onError(error, "restoreSession");
      return undefined;
    }
  }

  #tell(pid: string): void {
    const { name: nsp, context } = this.#nsp;
    const isKnown = () => context.recovery?.find(nsp, pid) !== undefined;
    context.host.observe?.({
      type: "recovery",
      code: this.#session ? "RECOVERED" : isKnown() ? "INCOMPLETE" : "UNKNOWN",
      nsp,
      missed: this.#session?.missedPackets.length ?? 0,
    });
  }

  #findRival(): SocketMember | undefined {
    return this.#session && this.#nsp.rooms.find(this.#session.sid);
  }

  /** Ends the connection of another socket with the same id, and waits until its `disconnect` has run. */
  async #retire(old: SocketMember): Promise<void> {
    await this.#nsp.context.loader.loadConnection(old)?.close("REPLACED");
    // A socket that is in middlewares does not belong to its connection yet.
    if (old.state === undefined) this.#nsp.remove(old);
    else old.state.cleanUp();
  }

  #admit(onCreated: (member: SocketMember) => void): Promise<void> | void {
    const { context, rooms, middlewares } = this.#nsp;
    const member = this.#createMember();
    rooms.pending.set(member.id, member);
    onCreated(member);
    const state = this.#createState(member);
    this.#replay(this.#session?.missedPackets);
    const isTrusted = this.#session !== undefined && context.recovery?.options.skipMiddlewares === true;
    if (isTrusted || middlewares.length === 0) return this.#settle(member, state);
    return this.#askMiddlewares(state).then(({ error }) => this.#settle(member, state, error));
  }

  #createMember(): SocketMember {
    const { name, parent, context } = this.#nsp;
    const session = this.#session;
    const record: SocketRecord = {
      id: session?.sid ?? this.#createId(),
      nsp: name,
      at: 0,
      rooms: [],
      issued: context.host.now(),
      auth: this.#auth,
      parent,
      pid: session?.pid ?? (context.recovery === undefined ? undefined : randomId()),
      since: session?.since,
      left: session?.left,
      leftSince: session?.leftSince,
      kept: session?.data === undefined ? undefined : { data: session.data },
    };
    const member: SocketMember = new Member(this.#connection.conn.id, record);
    member.client = this.#connection;
    member.record = record;
    return member;
  }

  /** Clients of v2 use the session's id as the id of their socket. */
  #createId(): string {
    const { conn } = this.#connection;
    const { name, context } = this.#nsp;
    if (conn.protocol !== 3) return context.host.mesh?.peers.newSocketId() ?? randomId();
    return name === "/" ? conn.id : `${name}#${conn.id}`;
  }

  #createState(member: SocketMember): SocketControl {
    const { context, adapter } = this.#nsp;
    const session = this.#session;
    this.#nsp.createSocket(this.#connection, member, session === undefined ? "new" : "recovered");
    if (session !== undefined) {
      context.diagnostics.attempt("addAll", () => adapter.addAll(member.id, new Set(session.rooms)));
      const { at } = session;
      // The missed packets end where its rooms begins: no packet lies between.
      if (at !== undefined) member.joins = Array.from(member.rooms, () => at);
    }
    return member.state as SocketControl;
  }

  #replay(missed: unknown[][] = []): void {
    for (const data of missed) this.#connection.sendSafely({ type: EVENT, nsp: this.#nsp.name, data });
  }

  /** Settles when a middleware has refused, or all have called `next`. The error may be anything, even a promise. */
  #askMiddlewares({ socket }: SocketControl): Promise<{ error: unknown }> {
    const { name, context, middlewares } = this.#nsp;
    const onThrown = (thrown: unknown) => {
      context.host.log("error", `a middleware of namespace "${name}" failed`, thrown);
      // What was thrown may contain a query or a secret, so the client does not get it.
      return new Error("Internal Server Error");
    };
    return new Promise((resolve) => {
      runMiddlewares(middlewares, socket, onThrown, (error) => resolve({ error }));
    });
  }

  #settle(member: SocketMember, state: SocketControl, error?: unknown): void {
    const isOpen = this.#connection.conn.readyState === "open";
    if (isOpen && error !== undefined) this.#refuse(member, state, error as ExtendedError);
    else if (isOpen && this.#catchUp(member)) this.#enter(member, state);
    else {
      state.cleanUp();
      // The client reconnects by itself, and starts anew.
      if (isOpen) this.#connection.close("RECOVERY_LOST");
    }
  }

  /** Replays what was sent while middlewares ran. Returns false if the client may not recover its session any more. */
  #catchUp(member: SocketMember): boolean {
    const at = this.#session?.at;
    if (at === undefined) return true;
    const { diagnostics, recovery } = this.#nsp.context;
    const missed = diagnostics.attempt("recovery", () => recovery?.missedSince(at, member));
    this.#replay(missed);
    return missed !== undefined;
  }

  #enter(member: SocketMember, state: SocketControl): void {
    const { rooms, context, name } = this.#nsp;
    rooms.pending.delete(member.id);
    member.at = context.clock.next(name);
    rooms.members.set(member.id, member);
    this.#connection.onJoined(member);
    state.connect();
  }

  #refuse(member: SocketMember, state: SocketControl, error: ExtendedError): void {
    const { name, context } = this.#nsp;
    context.recovery?.forget(member);
    state.cleanUp();
    let message = "refused";
    const answer = (content: unknown) =>
      this.#connection.send({
        type: CONNECT_ERROR,
        nsp: name,
        data: this.#connection.conn.protocol === 3 ? content || message : { message, data: content },
      });
    try {
      message = error.message;
      answer(error.data);
    } catch (failure) {
      // The data cannot be encoded. The client has to know all the same that it is refused.
      context.diagnostics.onError(failure, "connect");
      answer(undefined);
    }
    const code = "MIDDLEWARE_REFUSED";
    context.host.observe?.({ type: "refusal", code, nsp: name, message: String(message) });
  }
}
