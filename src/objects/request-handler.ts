import { EngineError } from "../engine/errors.ts";
import { type HandshakeRecord, toOpenFrames } from "../engine/handshake.ts";
import { isExpired } from "../engine/heartbeat.ts";
import { type EngineRequest, headerOf, toRequest } from "../engine/request.ts";
import type { Session } from "../engine/session.ts";
import type { SessionId } from "../shared/ids.ts";
import { BINARY_TYPE } from "../transports/eio3.ts";
import { toErrorResponse } from "../transports/errors.ts";
import {
  BodyTooLarge,
  decodeBody,
  payloadResponse,
  toPacketLimit,
  toPayload,
} from "../transports/polling.ts";
import { CANDIDATE_REFUSED, type InternalRequest, SID_HEADER } from "./internal-request.ts";
import type { ObjectRuntime } from "./object-runtime.ts";
import type { Carrier } from "./sessions/carrier.ts";
import { openChannel } from "./sessions/channel.ts";
import { SILENT } from "./sessions/heartbeat.ts";
import { baseBytes } from "./sessions/session-table.ts";
import { pollTag, socketTag } from "./sessions/socket-tags.ts";
import type { SocketRole } from "./storage/session-store.ts";
import { SetupFailed } from "./user-code.ts";

/** No upgrade may keep an object awake for longer, ms. */
const LONGEST_UPGRADE_MS = 10_000;

/** The object's answers to what the Worker asks. */
export class RequestHandler<Api> {
  readonly #runtime: ObjectRuntime<Api>;

  constructor(runtime: ObjectRuntime<Api>) {
    this.#runtime = runtime;
  }

  async handle(meta: InternalRequest, request: Request): Promise<Response> {
    const isUpgrade = meta.op === "socket" || meta.op === "upgrade";
    try {
      // An object that was never told its name has no session, and the user's code cannot run there.
      const isKnown = this.#runtime.identity.address !== undefined;
      if (!isKnown) throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
      // Hooks for headers and refusals are user code: after sleep they have to be there for the first request too.
      const ready = this.#runtime.ready();
      if (ready !== undefined) await ready;
      switch (meta.op) {
        case "open":
          return await this.#open(meta);
        case "socket":
          return await this.#openSocket(meta);
        case "poll":
          return this.#poll(meta);
        case "post":
          return await this.#post(meta, request);
        case "upgrade":
          return this.#upgrade(meta);
        case "other":
          this.#find(meta);
          // What engine.io answers to a method that no transport knows.
          return new Response(null, { status: 500 });
      }
    } catch (error) {
      if (error instanceof EngineError) {
        this.#report(error, meta);
        return toErrorResponse(error, isUpgrade);
      }
      if (error instanceof SetupFailed) return this.#putOff(error, meta);
      this.#runtime.log("error", `a request (${meta.op}) failed`, error);
      return new Response(null, { status: 500 });
    }
  }

  /** Nobody is served yet. A session that asks is over; an upgrade is not, since its session goes on polling. */
  #putOff({ retryAt }: SetupFailed, { op, sid }: InternalRequest): Response {
    const runtime = this.#runtime;
    const carrier = op === "upgrade" ? undefined : runtime.table.get(sid);
    if (carrier !== undefined) runtime.abandon(carrier.session);
    const seconds = Math.max(1, Math.ceil((retryAt - runtime.now()) / 1_000));
    return new Response(null, { status: 503, headers: { "retry-after": String(seconds) } });
  }

  #report({ code, message, context }: EngineError, { request }: InternalRequest): void {
    const { engine } = this.#runtime;
    if (engine.listenerCount("connection_error") > 0) {
      engine.emit("connection_error", { req: toRequest(request), code, message, context });
    }
  }

  async #open(meta: InternalRequest): Promise<Response> {
    const runtime = this.#runtime;
    const client = toRequest(meta.request);
    const handshake = this.#toHandshake(meta);
    const sid = this.#admit(await this.#makeId(meta, client), handshake);
    const carrier = runtime.table.create(sid, handshake, "polling", null);
    const headers = this.#handshakeHeaders(client) ?? new Headers();
    headers.set(SID_HEADER, sid);
    // What `connection` listeners send goes out with the second poll, as on Node.
    const frames = toOpenFrames(sid, "polling", runtime.definition.engine);
    const response = payloadResponse(toPayload(frames, carrier.handshake), headers);
    this.#announce(carrier);
    return response;
  }

  async #openSocket(meta: InternalRequest): Promise<Response> {
    const runtime = this.#runtime;
    const client = toRequest(meta.request);
    const handshake = this.#toHandshake(meta);
    const sid = this.#admit(await this.#makeId(meta, client), handshake);
    const { 0: peer, 1: socket } = new WebSocketPair();
    runtime.ctx.acceptWebSocket(socket, [socketTag(sid)]);
    const carrier = runtime.table.create(sid, handshake, "websocket", socket);
    const headers = this.#handshakeHeaders(client);
    carrier.session.sendHandshake(toOpenFrames(sid, "websocket", runtime.definition.engine));
    this.#announce(carrier);
    return new Response(null, { status: 101, webSocket: peer, ...(headers && { headers }) });
  }

  #poll(meta: InternalRequest): Response {
    const carrier = this.#find(meta);
    const { session } = carrier;
    carrier.pollAnswer = undefined;
    const limit = toPacketLimit(headerOf(meta.request, "user-agent"));
    carrier.loadQueue(limit);
    session.dispatch({ type: "poll", now: this.#runtime.now(), limit });
    const answer = this.#takeAnswer(carrier);
    if (answer === undefined || answer.type === "refuse") return new Response(null, { status: 400 });
    const headers = this.#headers(meta, session);
    if (answer.type === "reply") return payloadResponse(toPayload(answer.frames, carrier.handshake), headers);
    const role: SocketRole = { v: 1, k: "p", sid: session.id, ...answer.poll };
    const tag = pollTag(session.id);
    const { socket, response } = openChannel(this.#runtime.ctx, tag, role, answer.pingInMs, headers);
    carrier.poll = socket;
    this.#runtime.table.link(carrier, socket);
    return response;
  }

  #takeAnswer(carrier: Carrier): Carrier["pollAnswer"] {
    const answer = carrier.pollAnswer;
    carrier.pollAnswer = undefined;
    return answer;
  }

  async #post(meta: InternalRequest, request: Request): Promise<Response> {
    const carrier = this.#find(meta);
    const { session } = carrier;
    const fail = (description: string, status = 400) => {
      session.dispatch({ type: "transport-gone", reason: "transport error", description });
      return new Response(null, { status });
    };
    const isBinary = request.headers.get("content-type") === BINARY_TYPE;
    if (carrier.upload !== undefined) return fail("data request overlap from client");
    if (meta.protocol === 4 && isBinary) {
      return fail("invalid content");
    }
    const upload = carrier.beginUpload();
    let body: Uint8Array | string;
    try {
      body = await upload.read(request, this.#runtime.definition.engine.maxHttpBufferSize, isBinary);
    } catch (error) {
      // Its client gives the connection up as well, without a word: `disconnect` need not wait for the heartbeat.
      if (error instanceof BodyTooLarge) return fail("Max payload size exceeded", 413);
      // After an upgrade it is no matter of the session any more.
      if (session.state.transport === "websocket") return new Response(null, { status: 400 });
      return fail(error === SILENT ? SILENT.message : "data request connection closed prematurely");
    } finally {
      carrier.endUpload();
    }
    if (session.readyState === "closed") return new Response(null, { status: 400 });
    // A client that has yet to hear of the close would take a refusal for a broken transport, and never hear of it.
    if (session.readyState === "closing") return taken(this.#headers(meta, session));
    const { packets, error } = decodeBody(body, isBinary, meta.protocol);
    const now = this.#runtime.now();
    for (const packet of packets) session.receive(packet, now);
    if (error !== null) {
      session.dispatch({ type: "transport-gone", reason: "parse error", description: error });
      return new Response(null, { status: 400 });
    }
    return taken(this.#headers(meta, session));
  }

  #upgrade(meta: InternalRequest): Response {
    const runtime = this.#runtime;
    const carrier = this.#find(meta);
    const { session } = carrier;
    if (session.state.candidate !== "none" || session.state.transport !== "polling") {
      return new Response(null, { status: CANDIDATE_REFUSED });
    }
    const { 0: peer, 1: socket } = new WebSocketPair();
    runtime.ctx.acceptWebSocket(socket, [socketTag(session.id)]);
    const headers = this.#headers(meta);
    socket.serializeAttachment({ v: 1, k: "c", sid: session.id } satisfies SocketRole);
    runtime.table.link(carrier, socket);
    session.dispatch({ type: "candidate" });
    const timeoutMs = Math.min(runtime.definition.engine.upgradeTimeout, LONGEST_UPGRADE_MS);
    carrier.attachCandidate(socket, meta.b64, timeoutMs);
    return new Response(null, { status: 101, webSocket: peer, ...(headers && { headers }) });
  }

  /** The random part of a new session's id. */
  async #makeId(meta: InternalRequest, client: EngineRequest): Promise<string> {
    const { engine, definition } = this.#runtime;
    if (meta.protocol !== 4 && !definition.engine.allowEIO3) {
      throw new EngineError("UNSUPPORTED_PROTOCOL_VERSION", { protocol: meta.protocol });
    }
    try {
      const id = await engine.generateId(client);
      if (/^[\w-]{1,128}$/.test(id)) return id;
      throw new Error("generateId has to give 1 to 128 letters, digits, - or _");
    } catch (error) {
      throw new EngineError("BAD_REQUEST", { name: "ID_GENERATION_ERROR", error });
    }
  }

  /** Whether there is room for a session, and its id free: asked in the very moment in which it is made. */
  #admit(id: string, handshake: HandshakeRecord): SessionId {
    const { budget, engine, table, definition } = this.#runtime;
    if (table.isFull(definition.engine.maxSessions)) {
      throw new EngineError("FORBIDDEN", { message: "maxSessions is reached" }, "Too many sessions");
    }
    if (!budget.admits(baseBytes(handshake))) {
      throw new EngineError("FORBIDDEN", { message: "maxHeldBytes is reached" }, "Too many bytes are held");
    }
    const sid = this.#runtime.toSessionId(id);
    if (engine.makesOwnIds && table.has(sid)) {
      const error = new Error("generateId gave the id of a session that is still there");
      throw new EngineError("BAD_REQUEST", { name: "ID_GENERATION_ERROR", error });
    }
    return sid;
  }

  /** The session of a request that names one. */
  #find(meta: InternalRequest): Carrier {
    const runtime = this.#runtime;
    const carrier = runtime.table.get(meta.sid);
    if (carrier === undefined || carrier.session.readyState === "closed") {
      throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
    }
    const { session } = carrier;
    const { state } = session;
    const now = runtime.now();
    if (state.phase === "open" && isExpired(state, now, carrier.pongedAt(), runtime.rules)) {
      session.dispatch({ type: "tick", now, pongedAt: carrier.pongedAt(), lateness: 0 });
      throw new EngineError("UNKNOWN_SID", { sid: meta.sid });
    }
    if (meta.op !== "upgrade" && state.transport !== meta.transport) {
      const { transport } = meta;
      const context = { name: "TRANSPORT_MISMATCH", transport, previousTransport: state.transport };
      throw new EngineError("BAD_REQUEST", context);
    }
    if (session.protocol !== meta.protocol) {
      const context = {
        name: "PROTOCOL_MISMATCH",
        protocol: meta.protocol,
        previousProtocol: session.protocol,
      };
      throw new EngineError("BAD_REQUEST", context);
    }
    return carrier;
  }

  #announce(carrier: Carrier): void {
    const { engine, server } = this.#runtime;
    server.open(carrier.session);
    if (engine.listenerCount("connection") > 0) engine.emit("connection", carrier.session);
    this.#runtime.opened(carrier);
  }

  #toHandshake(meta: InternalRequest): HandshakeRecord {
    const { protocol, b64, address, secure, request, data } = meta;
    return { protocol, b64, address, secure, openedAt: this.#runtime.now(), request, data };
  }

  /** What listeners add to the answer of a handshake; undefined when nobody listens. */
  #handshakeHeaders(client: EngineRequest): Headers | undefined {
    const { engine } = this.#runtime;
    if (engine.listenerCount("initial_headers") + engine.listenerCount("headers") === 0) return undefined;
    const headers = new Headers();
    engine.emit("initial_headers", headers, client);
    engine.emit("headers", headers, client);
    return headers;
  }

  /** As on Node, the answer to an upgrade is no matter of the session's transport. */
  #headers({ request }: InternalRequest, session?: Session): Headers | undefined {
    const { engine } = this.#runtime;
    const heard = engine.listenerCount("headers") + (session?.transport.listenerCount("headers") ?? 0);
    if (heard === 0) return undefined;
    const headers = new Headers();
    const client = toRequest(request);
    engine.emit("headers", headers, client);
    session?.transport.emit("headers", headers, client);
    return headers;
  }
}

/** A POST was taken. The Worker says so to the client; a body of two letters would cost a stream between the two. */
function taken(headers: Headers | undefined): Response {
  return new Response(null, headers && { headers });
}
