import type { EventEmitter } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import { WebSocket } from "ws";
import type { Address } from "./http.ts";
import { Inbox, within } from "./within.ts";

export interface Closed {
  code: number;
  reason: string;
}

/** A server's refusal to open a WebSocket, as an HTTP answer. */
export class Refused extends Error {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;

  constructor(status: number, body: string, headers: IncomingHttpHeaders) {
    super(`refused with ${status} ${body}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** A WebSocket that records every frame: text as strings, binary as Buffers. */
export class RawSocket {
  readonly frames = new Inbox<string | Buffer>();
  readonly closed: Promise<Closed>;
  /** Headers of the 101 answer. */
  headers: IncomingHttpHeaders = {};
  readonly socket: WebSocket;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary: boolean) =>
      this.frames.push(isBinary ? data : data.toString()),
    );
    socket.on("upgrade", (response) => {
      this.headers = response.headers;
    });
    this.closed = new Promise((resolve) => {
      const end = (code: number, reason: Buffer) => {
        resolve({ code, reason: reason.toString() });
        this.frames.fail(new Error(`closed with ${code} ${reason}`));
      };
      socket.on("close", end);
      // The close frame is what the server says; workerd may keep the TCP connection for seconds after it.
      socket.on("open", () =>
        (socket as unknown as { _receiver: EventEmitter })._receiver.on("conclude", end),
      );
    });
  }

  /** Opens a socket; rejects with `Refused` when the server answers with plain HTTP. */
  static async open(at: Address, path: string, headers: Record<string, string> = {}): Promise<RawSocket> {
    const socket = new WebSocket(`ws://${at.host}:${at.port}${path}`, { headers, perMessageDeflate: false });
    const raw = new RawSocket(socket);
    const opened = new Promise<RawSocket>((resolve, reject) => {
      socket.on("open", () => resolve(raw));
      socket.on("error", reject);
      socket.on("unexpected-response", (_request, response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk));
        response.on("end", () => reject(new Refused(response.statusCode ?? 0, body, response.headers)));
        response.on("error", reject);
      });
    });
    return within(opened, `open WebSocket on ${path}`);
  }

  /** Begins to answer every ping, as a client that reads does. */
  answerPings(): this {
    this.socket.on("message", (data: Buffer) => {
      if (String(data) === "2") this.send("3");
    });
    return this;
  }

  send(...frames: (string | Uint8Array)[]): void {
    for (const frame of frames) this.socket.send(frame);
  }

  /** Returns the next frame, whatever it is. */
  next(ms = 5_000): Promise<string | Buffer> {
    return this.frames.next("frame", undefined, ms);
  }

  /** Returns the next text frame that begins with `prefix`; those before it are skipped. */
  async nextText(prefix: string, ms = 5_000): Promise<string> {
    const wanted = (frame: string | Buffer) => typeof frame === "string" && frame.startsWith(prefix);
    return (await this.frames.next(`frame "${prefix}..."`, wanted, ms)) as string;
  }

  /** How the socket ended. */
  end(ms = 5_000): Promise<Closed> {
    return within(this.closed, "end of the WebSocket", ms);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.socket.terminate();
  }
}

/** Returns the refusal that a WebSocket request gets. */
export async function refusal(
  at: Address,
  path: string,
  headers: Record<string, string> = {},
): Promise<Refused> {
  try {
    const raw = await RawSocket.open(at, path, headers);
    raw.cut();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
  throw new Error(`${path} was not refused`);
}
