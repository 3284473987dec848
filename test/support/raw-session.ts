import { type Address, begin, type Exchange, http, type Reply, type RequestOptions } from "./http.ts";
import { RawSocket } from "./raw-socket.ts";

export const RS = "\x1e";
const PATH = "/socket.io/";

export interface OpenPacket {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

/** A path of the server with a query. */
export function pathOf(query: Record<string, string>, base = PATH): string {
  return `${base}?${new URLSearchParams(query)}`;
}

/** An Engine.IO session driven by hand over HTTP, packet by packet. */
export class RawSession {
  #at: Address;
  readonly open: OpenPacket;
  readonly handshake: Reply;
  readonly sid: string;
  /** The id of its Socket.IO socket, once it has joined. */
  id = "";
  readonly #queue: string[] = [];

  constructor(at: Address, handshake: Reply) {
    if (handshake.status !== 200) throw new Error(`handshake: ${handshake.status} ${handshake.body}`);
    const [first, ...rest] = handshake.body.split(RS);
    this.#at = at;
    this.handshake = handshake;
    this.open = JSON.parse(first!.slice(1));
    this.sid = this.open.sid;
    this.#queue.push(...rest);
  }

  get at(): Address {
    return this.#at;
  }

  /**
   * Set while something is under way (an upgrade, half a packet) during which an object cannot sleep, so that the test
   * does not put it to sleep.
   */
  stayAwake(): void {
    this.#at = { host: this.#at.host, port: this.#at.port };
  }

  static async start(
    at: Address,
    query: Record<string, string> = {},
    options: RequestOptions = {},
  ): Promise<RawSession> {
    const path = pathOf({ EIO: "4", transport: "polling", ...query });
    return new RawSession(at, await http(at, path, options));
  }

  /** Starts a session and joins a namespace; `nsp` is written as on the wire: "" or "/admin,". */
  static async join(at: Address, nsp = "", query: Record<string, string> = {}): Promise<RawSession> {
    const session = await RawSession.start(at, query);
    await session.post(`40${nsp}`);
    const connected = await session.next(`40${nsp}{`);
    session.id = JSON.parse(connected.slice(2 + nsp.length)).sid;
    return session;
  }

  path(query: Record<string, string> = {}): string {
    return pathOf({ EIO: "4", transport: "polling", sid: this.sid, ...query });
  }

  poll(options: RequestOptions = {}): Promise<Reply> {
    return http(this.at, this.path(), options);
  }

  /** Starts a poll that can be cut. */
  begin(options: RequestOptions = {}): Exchange {
    return begin(this.at, this.path(), options);
  }

  post(body: string | Uint8Array, options: RequestOptions = {}): Promise<Reply> {
    const headers = { "content-type": "text/plain;charset=UTF-8", ...options.headers };
    return http(this.at, this.path(), { ...options, method: "POST", body, headers });
  }

  /** Returns the next packet that begins with `prefix`, polling for as long as it takes; others are skipped. */
  async next(prefix = "", ms = 5_000): Promise<string> {
    const until = Date.now() + ms;
    for (;;) {
      for (let packet = this.#queue.shift(); packet !== undefined; packet = this.#queue.shift()) {
        if (packet.startsWith(prefix)) return packet;
      }
      const reply = await this.poll({ ms: Math.max(1, until - Date.now()) });
      if (reply.status !== 200) throw new Error(`poll for "${prefix}": ${reply.status} ${reply.body}`);
      this.#queue.push(...reply.body.split(RS));
    }
  }

  /** Starts a POST of which only `body` is sent, which is less than it announces. */
  upload(body: string, length: number): Exchange {
    const headers = { "content-type": "text/plain;charset=UTF-8", "content-length": length };
    return begin(this.at, this.path(), { method: "POST", open: true, body, headers, ms: 120_000 });
  }

  /** Returns the packets in the answer to the next poll. */
  async nextPayload(ms = 5_000): Promise<string[]> {
    const waiting = this.#queue.splice(0);
    if (waiting.length > 0) return waiting;
    const reply = await this.poll({ ms });
    if (reply.status !== 200) throw new Error(`poll: ${reply.status} ${reply.body}`);
    return reply.body.split(RS);
  }

  /** Proves that the session is alive, by an event and its acknowledgement. */
  async isAlive(id = 99): Promise<boolean> {
    const posted = await this.post(`42${id}["echo","still here"]`);
    if (posted.status !== 200) return false;
    return (await this.next(`43${id}`)) === `43${id}["still here"]`;
  }

  /** Opens the candidate WebSocket of an upgrade. */
  candidate(query: Record<string, string> = {}): Promise<RawSocket> {
    this.stayAwake();
    return RawSocket.open(this.at, pathOf({ EIO: "4", transport: "websocket", sid: this.sid, ...query }));
  }

  /** Upgrades step by step, releases the poll as a client does, and returns the WebSocket. */
  async upgrade(): Promise<RawSocket> {
    const socket = await this.candidate();
    socket.send("2probe");
    await socket.nextText("3probe");
    socket.send("5");
    return socket;
  }
}

/**
 * Opens a session on a WebSocket and joins a namespace; `nsp` is written as on the wire, and may be followed by `auth`.
 */
export async function joinByWebSocket(
  at: Address,
  query: Record<string, string> = {},
  nsp = "",
): Promise<{ socket: RawSocket; open: OpenPacket; id: string }> {
  const socket = await RawSocket.open(at, pathOf({ EIO: "4", transport: "websocket", ...query }));
  const open = JSON.parse((await socket.nextText("0")).slice(1)) as OpenPacket;
  socket.send(`40${nsp}`);
  const connected = await socket.nextText("40");
  const id = JSON.parse(connected.slice(connected.indexOf("{"))).sid as string;
  return { socket, open, id };
}
