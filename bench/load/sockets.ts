import { WebSocket } from "ws";
import { AS_BROWSERS } from "./browser.ts";

/** How many clients connect at the same time. */
const AT_ONCE = 50;
const CLOSED_WITHIN_MS = 500;
const TEXT = "a line of a chat, of usual length";
const ECHO = `42["message","${TEXT}"]`;
/** WebSocket clients that write Engine.IO frames by hand, so that they need as little CPU as possible. */
export class Sockets {
  readonly #sockets: WebSocket[] = [];
  #onFrame: (frame: Buffer, from: WebSocket) => void = () => {};

  /**
   * Opens `count` more sockets and joins the main namespace with each. Those that open `asBrowsers` send its headers
   * and offer compression; an object that is awake has no room for 9,900 of these.
   */
  async open(
    port: number,
    count: number,
    query = "",
    path = "/socket.io/",
    asBrowsers = false,
  ): Promise<void> {
    const url = `ws://127.0.0.1:${port}${path}?EIO=4&transport=websocket${query}`;
    for (let left = count; left > 0; left -= AT_ONCE) {
      const some = Array.from({ length: Math.min(left, AT_ONCE) }, () => this.#connect(url, asBrowsers));
      this.#sockets.push(...(await Promise.all(some)));
    }
  }

  /**
   * Each of the first `count` sockets sends `each` messages, at most `window` of them unanswered, and receives all
   * echoes.
   */
  echo(each: number, window: number, count = this.#sockets.length): Promise<number> {
    const speakers = this.#sockets.slice(0, count);
    const left = new Map(speakers.map((socket) => [socket, each]));
    const unanswered = new Map(left);
    let waiting = speakers.length;
    const send = (socket: WebSocket) => {
      const rest = left.get(socket)!;
      if (rest === 0) return;
      left.set(socket, rest - 1);
      socket.send(ECHO);
    };
    return new Promise((resolve, reject) => {
      this.#onFrame = (frame, socket) => {
        if (frame.length !== ECHO.length) return reject(new Error(`not an echo: ${frame}`));
        const rest = unanswered.get(socket)! - 1;
        unanswered.set(socket, rest);
        if (rest === 0 && --waiting === 0) resolve(each * speakers.length);
        else send(socket);
      };
      for (const socket of speakers) for (let i = 0; i < window; i++) send(socket);
    });
  }

  /**
   * The first socket sends `frame`, upon which all sockets receive one, again and again. Returns the number of
   * deliveries.
   */
  broadcast(frame: string, times: number): Promise<number> {
    const [first] = this.#sockets;
    const all = this.#sockets.length;
    let left = times;
    let missing = all;
    return new Promise((resolve, reject) => {
      this.#onFrame = (received) => {
        if (received[1] !== 0x32) return reject(new Error(`not an event: ${received}`));
        if (--missing > 0) return;
        if (--left === 0) return resolve(times * all);
        missing = all;
        first!.send(frame);
      };
      first!.send(frame);
    });
  }

  /** Sends `frame`, which asks for an acknowledgement, from `count` sockets, and waits for all answers. */
  call(frame: string, from: number, count: number): Promise<void> {
    let missing = count;
    return new Promise((resolve) => {
      this.#onFrame = () => {
        if (--missing === 0) resolve();
      };
      for (const socket of this.#sockets.slice(from, from + count)) socket.send(frame);
    });
  }

  /**
   * Sends one frame from one socket. Returns the milliseconds until `receivers` frames have arrived, on whichever
   * sockets.
   */
  first(frame: string, from: number, receivers: number): Promise<number> {
    const start = performance.now();
    let missing = receivers;
    return new Promise((resolve) => {
      this.#onFrame = () => {
        if (--missing === 0) resolve(performance.now() - start);
      };
      this.#sockets[from]!.send(frame);
    });
  }

  /** From here on no socket expects anything but pings. */
  listen(): void {
    this.#onFrame = () => {};
  }

  close(): Promise<void> {
    return closeAll(this.#sockets.splice(0));
  }

  #connect(url: string, asBrowser: boolean): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(
        url,
        asBrowser ? AS_BROWSERS : { perMessageDeflate: false, maxPayload: 0 },
      );
      socket.once("error", reject);
      const onOpening = (frame: Buffer) => {
        if (frame[0] === 0x30) return socket.send("40");
        if (frame[0] !== 0x34) return undefined;
        socket.off("message", onOpening);
        socket.on("message", (data: Buffer) => this.#receive(data, socket));
        resolve(socket);
      };
      socket.on("message", onOpening);
    });
  }

  /** Answers pings at once, and ignores noops. */
  #receive(frame: Buffer, socket: WebSocket): void {
    if (frame[0] === 0x34) this.#onFrame(frame, socket);
    else if (frame[0] === 0x32) socket.send("3");
  }
}

/** Closes the sockets, and waits until all are closed. Sockets whose server does not answer the close are cut off. */
export async function closeAll(sockets: readonly WebSocket[]): Promise<void> {
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
  for (const socket of sockets) socket.close(1000);
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.terminate();
  }, CLOSED_WITHIN_MS);
  await Promise.all(closed);
  clearTimeout(timer);
}
