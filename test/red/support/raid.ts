import { WebSocket } from "ws";
import { pathOf, type RawSession } from "../../support/raw-session.ts";
import { within } from "../../support/within.ts";
import type { Victim } from "./victim.ts";

/** How many clients connect at the same time. */
const AT_ONCE = 40;

export interface RaidOptions {
  /** Whether frames are compressed: a megabyte of one letter is then a kilobyte on the wire. */
  isCompressed?: boolean;
  headers?: Record<string, string>;
  query?: Record<string, string>;
  path?: string;
  /** The frames that each client sends once it is open. */
  says?: string | ((i: number) => string);
}

/** Attackers on WebSockets that answer no ping, and ignore whether they are admitted. */
export class Raid {
  readonly sockets: WebSocket[] = [];
  readonly #victim: Victim;
  /** The refused handshakes by status, with 0 for no answer. */
  readonly refused = new Map<number, number>();
  closed = 0;

  constructor(victim: Victim) {
    this.#victim = victim;
  }

  async open(count: number, options: RaidOptions = {}): Promise<WebSocket[]> {
    const opened: WebSocket[] = [];
    for (let i = 0; i < count && !this.#victim.isDown; ) {
      const some: Promise<WebSocket | undefined>[] = [];
      for (; i < count && some.length < AT_ONCE; i++) some.push(this.#connect(i, options));
      for (const socket of await Promise.all(some)) if (socket !== undefined) opened.push(socket);
    }
    return opened;
  }

  /** Closes all of them at once. */
  leave(): void {
    for (const socket of this.sockets.splice(0)) socket.terminate();
  }

  #connect(i: number, options: RaidOptions): Promise<WebSocket | undefined> {
    const { headers = {}, isCompressed = false, query = {}, says, path: base } = options;
    const { host, port } = this.#victim;
    const path = pathOf({ EIO: "4", transport: "websocket", ...query }, base);
    const socket = new WebSocket(`ws://${host}:${port}${path}`, {
      headers,
      perMessageDeflate: isCompressed,
      maxPayload: 0,
    });
    this.sockets.push(socket);
    const opened = new Promise<WebSocket | undefined>((resolve) => {
      const refuse = (status: number) => {
        this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
        resolve(undefined);
      };
      socket.on("unexpected-response", (request, response) => {
        refuse(response.statusCode ?? 0);
        request.destroy();
      });
      socket.on("error", () => refuse(0));
      socket.on("close", () => {
        this.closed++;
        resolve(undefined);
      });
      socket.once("message", () => {
        const text = typeof says === "function" ? says(i) : says;
        if (text === undefined) resolve(socket);
        else socket.send(text, { compress: isCompressed }, () => resolve(socket));
      });
    });
    return within(opened, "end of a handshake", 20_000).catch(() => undefined);
  }
}

/** Waits for a condition outside the object. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  ms = 15_000,
): Promise<void> {
  const end = Date.now() + ms;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`${what} has not come about within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Posts the same body again and again, as long as it is accepted. */
export async function postAll(session: RawSession, body: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const reply = await session.post(body, { ms: 20_000 }).catch(() => undefined);
    if (reply?.status !== 200) return;
  }
}

/** Waits until their frames have left this process, or until they have been closed. */
export function untilSent(sockets: readonly WebSocket[]): Promise<void> {
  const isDone = (socket: WebSocket) => socket.readyState !== socket.OPEN || socket.bufferedAmount === 0;
  return until("the end of the flood", () => sockets.every(isDone), 20_000);
}
