import { HttpResponse, http, ws } from "msw";
import { setupServer } from "msw/node";

export const HANDSHAKE = {
  sid: "abc",
  upgrades: [] as string[],
  pingInterval: 25_000,
  pingTimeout: 20_000,
  maxPayload: 1_000_000,
};

type Answer = Response | Promise<Response> | undefined;

/** The server's end of a WebSocket. */
export interface Peer {
  url: URL;
  send(data: string): void;
  close(code?: number): void;
  onMessage?: (data: string) => void;
  onClose?: () => void;
}

const interceptor = setupServer();
const link = ws.link(/^ws:/);

/** Replaces the network of the client from `listen` to `close`. A request that no server answers waits for ever. */
export const network = {
  listen: () => interceptor.listen({ onUnhandledFrame: silence }),
  close: () => interceptor.close(),
};

let count = 0;

/**
 * A server whose every answer a test can decide. By default it opens a session, accepts the namespace and holds each
 * poll until something is pushed.
 */
export class ScriptedServer {
  readonly #waiting: ((body: string) => void)[] = [];
  readonly #queue: string[] = [];
  handshake = { ...HANDSHAKE };
  /** The number of handshakes. */
  handshakes = 0;
  /** The GETs of an open session so far, past and present. */
  polls = 0;
  /** The maximum number of GETs of a session that ever waited at the same time. */
  overlap = 0;
  /** The bodies of the POSTs, in order. */
  readonly posts: string[] = [];
  readonly url: string;
  onHandshake: () => Answer = () => undefined;
  onPoll: () => Answer = () => undefined;
  onPost: (body: string) => Answer = () => undefined;

  /** Each server has a host of its own, so that late requests of one test's client reach no other test. */
  constructor(url = `http://faults-${count++}.test`) {
    this.url = url;
    interceptor.resetHandlers();
    const path = `${url}/socket.io/`;
    interceptor.use(
      http.get(path, ({ request }) => {
        if (new URL(request.url).searchParams.has("sid")) return this.onPoll() ?? this.#poll();
        this.handshakes++;
        this.#waiting.length = 0;
        this.#queue.length = 0;
        return this.onHandshake() ?? text(`0${JSON.stringify(this.handshake)}`);
      }),
      http.post(path, async ({ request }) => {
        const body = await request.text();
        this.posts.push(body);
        const answer = this.onPost(body);
        if (answer) return answer;
        if (body.split("\x1e").some((frame) => frame.startsWith("40"))) this.push('40{"sid":"socket-id"}');
        return text("ok");
      }),
    );
  }

  /** Accepts WebSockets, which otherwise never open. */
  acceptWebSockets(onConnection: (peer: Peer) => void): void {
    interceptor.use(
      link.addEventListener("connection", ({ client }) => {
        const peer: Peer = {
          url: new URL(client.url),
          send: (data) => client.send(data),
          close: (code) => client.close(code),
        };
        client.addEventListener("message", ({ data }) => peer.onMessage?.(String(data)));
        client.addEventListener("close", () => peer.onClose?.());
        onConnection(peer);
      }),
    );
  }

  /** Answers the waiting poll, or the next one. */
  push(body: string): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(body);
    else this.#queue.push(body);
  }

  async #poll(): Promise<Response> {
    this.polls++;
    const queued = this.#queue.shift();
    if (queued !== undefined) return text(queued);
    const body = await new Promise<string>((resolve) => {
      this.#waiting.push(resolve);
      this.overlap = Math.max(this.overlap, this.#waiting.length);
    });
    return text(body);
  }
}

export function text(body: string, status = 200): Response {
  return new HttpResponse(body, { status, headers: { "content-type": "text/plain; charset=UTF-8" } });
}

export function refusal(status: number, code: number, message: string): Response {
  return HttpResponse.json({ code, message }, { status });
}

/** The connection breaks before an answer. */
export function networkError(): Response {
  return HttpResponse.error();
}

/** An answer whose body breaks off after `start`. */
export function truncated(start: string): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(start));
    },
    pull(controller) {
      controller.error(new TypeError("terminated"));
    },
  });
  return new HttpResponse(body, { status: 200 });
}

/** A request that is never answered. */
export function silence(): Promise<never> {
  return new Promise(() => {});
}
