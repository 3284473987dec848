/**
 * The control: a bare Worker and a bare hibernating object that do no more than what is measured. They echo frames,
 * send one string to all sockets, and hold and answer polls. They have no sessions, no protocol and no errors.
 */
import { DurableObject } from "cloudflare:workers";
import { isForAll, JOINED, OPENING, toReply } from "./frames.ts";

interface Env {
  SESSIONS: DurableObjectNamespace<SessionObject>;
}

/** The number of instances since the process started, which shows whether the object slept. */
let instances = 0;

export class SessionObject extends DurableObject<Env> {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    instances++;
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const sid = searchParams.get("sid") ?? "";
    if (pathname === "/post") return this.#post(sid, await request.text());
    const { 0: peer, 1: socket } = new WebSocketPair();
    if (pathname === "/poll") this.ctx.acceptWebSocket(socket, [sid]);
    else {
      this.ctx.acceptWebSocket(socket, searchParams.has("room") ? ["room"] : []);
      // The least that a server has to keep of a client: the request with which it connected, and its rooms.
      const handshake = request.headers.get(HANDSHAKE);
      socket.serializeAttachment({ handshake, rooms: searchParams.has("room") ? ["room"] : [] });
      socket.send(OPENING);
    }
    return new Response(null, { status: 101, webSocket: peer });
  }

  #post(sid: string, body: string): Response {
    const [poll] = this.ctx.getWebSockets(sid);
    if (poll === undefined) return new Response("no poll is waiting", { status: 500 });
    poll.send(body === "40" ? JOINED : body);
    poll.close(1000);
    return new Response("ok");
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    if (typeof message !== "string") return;
    if (isForAll(message)) for (const each of this.ctx.getWebSockets()) each.send(message);
    else if (message.startsWith('42["room"'))
      for (const each of this.ctx.getWebSockets("room")) each.send(message);
    else if (message.startsWith('42["seek"')) this.#seek(message);
    else socket.send(toReply(message));
  }

  /** Finds the room in the attachments, as any server has to whose clients join rooms after they have connected. */
  #seek(message: string): void {
    for (const each of this.ctx.getWebSockets()) {
      const { rooms } = each.deserializeAttachment() as { rooms: string[] };
      if (rooms.includes("room")) each.send(message);
    }
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    if (code === 1005) socket.close();
  }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    if (pathname === "/bench") {
      if (search === "?gc") (globalThis as { gc?(): void }).gc?.();
      return Response.json({ instances });
    }
    const object = env.SESSIONS.getByName("main");
    if (request.headers.has("upgrade")) {
      const handshake = JSON.stringify([request.url, ...request.headers]);
      return object.fetch(`https://bare/socket${search}`, {
        headers: { ...UPGRADE, [HANDSHAKE]: handshake },
      });
    }
    if (request.method === "POST") {
      return object.fetch(`https://bare/post${search}`, { method: "POST", body: request.body });
    }
    if (!searchParams.has("sid")) return new Response(OPENING.replace("bare", crypto.randomUUID()));
    const response = await object.fetch(`https://bare/poll${search}`, { headers: UPGRADE });
    const { webSocket } = response;
    if (webSocket === null) return response;
    return new Promise((resolve) => {
      webSocket.addEventListener("message", (event) => resolve(new Response(event.data as string)));
      webSocket.accept();
    });
  },
} satisfies ExportedHandler<Env>;

const UPGRADE = { upgrade: "websocket" };
const HANDSHAKE = "bare-handshake";
