import { encodeMessages } from "../codec/encode-packet.ts";
import type { Attachment, EnginePacket, SocketPacket } from "../codec/index.ts";
import { decodeFrame, encodePayload, PacketDecoder, SEPARATOR } from "../codec/index.ts";
import { Emitter } from "./emitter.ts";
import type { DefaultEventsMap, DisconnectReason, ManagerOptions, TransportName } from "./types.ts";

/** Hears every event of an engine before its listeners do. */
type Observer = (event: unknown, ...args: unknown[]) => void;

/** An encoded Engine.IO packet: text, or the bytes of a message. */
type Frame = string | Attachment;

interface Handshake {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

/** How long a connection may take to answer when the page comes back, or its network, in milliseconds. */
const PROBE_TIMEOUT_MS = 5000;

/**
 * One Engine.IO connection: polling by `fetch`, WebSocket by `WebSocket`, nothing else of the platform.
 *
 *     opening --handshake--> open --close()--> closing --everything is written--> closed
 *        |-- the next transport  `---- an error, the ping timeout, a close packet ----^
 *
 * Its events are `open`, `ping`, `packet(packet)`, `upgrade(transport)`, `upgradeError(cause)` and
 * `close(reason, description)`.
 */
export class Engine extends Emitter<DefaultEventsMap> {
  /** Whether the last WebSocket worked, for `rememberUpgrade`. */
  static #didWebSocketWork = false;

  /** The id of the session; a secret, unlike the ids of sockets. */
  id = "";
  readyState: "opening" | "open" | "closing" | "closed" = "opening";
  /** `writable` says whether what is sent now leaves at once. */
  readonly transport: { name: TransportName; writable: boolean } = { name: "polling", writable: true };

  readonly #origin: string;
  readonly #opts: ManagerOptions;
  readonly #observer: Observer;
  /** The transports that have not been tried. */
  readonly #candidates: string[];
  readonly #abort = new AbortController();
  readonly #decoder = new PacketDecoder();
  #buffer: Frame[] = [];
  #socket: WebSocket | undefined;
  #isUpgrading = false;
  /** The server answers a pong with a noop, so that a lost connection can be noticed soon. */
  #answersPongs = false;
  /** The loop that reads by polling, until it ends. */
  #reading: Promise<void> | undefined;
  #writing: unknown;
  #maxPayload = Infinity;
  /** How long the server may be silent, in milliseconds. */
  #patience = 0;
  #deadline = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firstError: Error | undefined;

  constructor(origin: string, opts: ManagerOptions, observer: Observer) {
    super();
    this.#origin = origin;
    this.#opts = opts;
    this.#observer = observer;
    this.#candidates = [...(opts.transports ?? ["polling", "websocket"])];
    if (opts.rememberUpgrade && Engine.#didWebSocketWork)
      this.#candidates.sort((a, b) => Number(b === "websocket") - Number(a === "websocket"));
    if (opts.timeout !== false)
      this.#timer = setTimeout(() => this._close("transport error", new Error("timeout")), opts.timeout);
    if (opts.closeOnBeforeunload) globalThis.addEventListener?.("beforeunload", this.#leave, this.#abort);
    queueMicrotask(() => this.#open());
  }

  /** Closes when everything is written and no upgrade is under way. */
  close(): void {
    this.#write("1");
    if (this.readyState === "open") this.readyState = "closing";
    else this._close("forced close");
  }

  /** Closes at once, for a reason. @internal */
  _close(reason: DisconnectReason, description?: Error): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.#isUpgrading = false;
    // An engine that is closed in the turn in which it was made opens nothing.
    this.#candidates.length = 0;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#socket?.close();
    this._fire("close", reason, description);
  }

  /**
   * Sends a packet. False when the packet exceeds what the server accepts: the server would end the connection because
   * of it. @internal
   */
  _send(packet: SocketPacket): boolean {
    const frames = encodeMessages("4", packet, () => false);
    const isTooLarge = frames.some(
      (frame) => upperBound(frame) > this.#maxPayload && this.#byteLength(frame) > this.#maxPayload,
    );
    if (!isTooLarge) for (const frame of frames) this.#write(frame);
    return !isTooLarge;
  }

  /** Whether the server has been silent for too long; a timer that the browser throttles may not have noticed. @internal */
  _isExpired(): boolean {
    const isExpired = Date.now() >= this.#deadline;
    // What is emitted before the timer fires finds the connection expired, too.
    if (isExpired) this.#wait(0);
    return isExpired;
  }

  /** Asks for a sign of life, so that a lost connection shows at once and not after the ping timeout. @internal */
  _probe(): void {
    if (this._isExpired()) return;
    this.#write("3");
    if (this.#answersPongs) this.#wait(PROBE_TIMEOUT_MS);
  }

  override _fire(event: unknown, ...args: unknown[]): void {
    this.#observer(event, ...args);
    super._fire(event, ...args);
  }

  #open(): void {
    const name = this.#candidates.shift();
    if (name === "polling" || name === "websocket") {
      this.transport.name = name;
      if (name === "polling") this.#reading = this.#read();
      else this.#connect();
    } else if (name) this.#open();
    else this._close("transport error", this.#firstError ?? new Error("No transports available"));
  }

  get #isPolling(): boolean {
    return this.transport.name === "polling";
  }

  #url(transport: TransportName): string {
    const path = (this.#opts.path ?? "/socket.io").replace(/\/?$/, "/");
    const session = this.id && `&sid=${this.id}`;
    return `${this.#origin + path}?${new URLSearchParams(this.#opts.query)}&EIO=4&transport=${transport}${session}`;
  }

  /** Undefined when the request failed, which ends the connection. */
  async #request(frames?: readonly Frame[]): Promise<string | undefined> {
    let context: unknown;
    let status: number | undefined;
    try {
      const response = await fetch(this.#url("polling"), {
        method: frames && "POST",
        body: frames && encodePayload(await Promise.all(frames.map(toBytes))),
        headers: this.#opts.extraHeaders,
        // A Worker refuses the field itself, so it has a value only when somebody asks for it.
        credentials: this.#opts.withCredentials ? "include" : undefined,
        signal: this.#abort.signal,
      });
      const body = await response.text();
      if (response.ok) return body;
      status = response.status;
      // The end of the connection takes the body away from a response that nobody has read.
      context = new Response(body, response);
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      context = error;
    }
    this.#fail("transport error", `fetch ${frames ? "write" : "read"} error`, context, status);
    return undefined;
  }

  /** Ends with the first request that fails. */
  async #read(): Promise<void> {
    while (this.#isPolling && !this.#isUpgrading) {
      const body = await this.#request();
      if (body === undefined) return;
      for (const frame of body.split(SEPARATOR)) {
        this.#onFrame(frame);
        // What a packet causes happens before the next packet, above all before a close.
        await undefined;
      }
    }
  }

  /** Connects by WebSocket. One that upgrades the session proves itself first and then takes the place of polling. */
  #connect(upgrades = false): void {
    const address = this.#url("websocket").replace("http", "ws");
    let isOver = false;
    let isCandidate = upgrades;
    const fail = (event: unknown) => {
      if (isOver) return;
      isOver = true;
      if (!isCandidate) {
        if ((event as Event).type === "close")
          this.#fail("transport close", "websocket connection closed", event);
        else this.#fail("transport error", "websocket error", event, event);
        return;
      }
      // A reading loop that has not seen the pause yet goes on by itself; this one waits behind it.
      if (this.#isUpgrading) this.#reading = this.#reading?.then(() => this.#read());
      this.#isUpgrading = false;
      this._fire("upgradeError", event);
      this.#flush();
    };
    try {
      const socket = openWebSocket(address, this.#opts.extraHeaders);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => isCandidate && socket.send("2probe");
      socket.onerror = socket.onclose = fail;
      socket.onmessage = async ({ data }) => {
        if (!isCandidate) return this.#onFrame(data);
        if (data !== "3probe") return fail(data);
        this.#isUpgrading = true;
        await this.#reading;
        await this.#writing;
        if (!this.#isUpgrading) return;
        socket.send("5");
        this.#isUpgrading = this.#answersPongs = isCandidate = false;
        Engine.#didWebSocketWork = true;
        this.transport.name = "websocket";
        this._fire("upgrade", this.transport);
        this.#flush();
      };
    } catch (error) {
      fail(error);
    }
  }

  #onFrame(frame: string | ArrayBuffer): void {
    if (this.readyState === "closed") return;
    try {
      this.#onPacket(decodeFrame(frame));
      this.#wait(this.#patience);
    } catch (error) {
      this.#fail("transport error", "parse error", error);
    }
  }

  /** Listeners are called in a turn of their own: what they throw is the page's to hear, and no fault of the connection. */
  #onPacket({ type, data = "" }: EnginePacket): void {
    if (type === "open") this.#onHandshake(JSON.parse(String(data)));
    else if (type === "close") queueMicrotask(() => this.#fail("transport close"));
    else if (type === "message") this.#onMessage(data);
    else if (type === "noop") this.#answersPongs = true;
    else if (type === "ping") {
      this.#write("3");
      queueMicrotask(() => this._fire("ping"));
    }
  }

  #onHandshake({ sid, pingInterval, pingTimeout, maxPayload, upgrades }: Handshake): void {
    this.id = sid;
    this.readyState = "open";
    this.#answersPongs = this.#isPolling;
    this.#patience = pingInterval + pingTimeout;
    this.#maxPayload = maxPayload ?? Infinity;
    Engine.#didWebSocketWork = !this.#isPolling;
    queueMicrotask(() => this._fire("open"));
    const mayUpgrade = this.#opts.upgrade !== false && this.#candidates.includes("websocket");
    if (mayUpgrade && upgrades.includes("websocket")) this.#connect(true);
  }

  #onMessage(message: string | Uint8Array): void {
    try {
      // Bytes arrive as the platform likes them: as a Buffer where there is one.
      const packet = this.#decoder.add(
        typeof message === "string"
          ? message
          : (globalThis.Buffer?.from(message.buffer) ?? (message.buffer as ArrayBuffer)),
      );
      if (packet) queueMicrotask(() => this._fire("packet", packet));
    } catch (error) {
      queueMicrotask(() => this._close("parse error", error as Error));
    }
  }

  /** A transport failed. While the connection opens, the next transport is tried. */
  #fail(
    reason: DisconnectReason,
    message: string = reason,
    context?: unknown,
    description: unknown = message,
  ): void {
    const error = Object.assign(new Error(message), { type: "TransportError", description, context });
    if (this.readyState === "opening") {
      this.#firstError ??= error;
      if (this.#opts.tryAllTransports === false) this.#candidates.length = 0;
      this.#open();
    } else this._close(reason, error);
  }

  /** The page goes away: the server learns of it at once, and nobody here does. */
  readonly #leave = (): void => {
    this.#abort.abort();
    if (!this.#socket) return;
    this.#socket.onclose = this.#socket.onerror = null;
    this.#socket.close();
  };

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    if (this.readyState === "closed") return;
    this.#deadline = Date.now() + ms;
    this.#timer = setTimeout(() => this._close("ping timeout"), ms);
  }

  #write(frame: Frame): void {
    if (this.readyState !== "open") return;
    this.#buffer.push(frame);
    this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#isUpgrading || !this.transport.writable || this.#buffer.length === 0) return;
    this.transport.writable = false;
    // What is emitted in one turn leaves together, as far as one POST may carry it.
    await undefined;
    let size = 0;
    const frames = this.#buffer.filter((frame, index) => {
      size += upperBound(frame);
      // A close packet travels alone: a server takes a packet before it in the same body for unsaid.
      return index === 0 || (size < this.#maxPayload && frame !== "1");
    });
    this.#buffer.splice(0, frames.length);
    if (this.#isPolling) {
      this.#writing = this.#request(frames);
      await this.#writing;
      // A POST that was answered is a sign of life; a WebSocket accepts everything.
      this.#wait(this.#patience);
    } else for (const frame of frames) this.#socket?.send(frame as string);
    this.transport.writable = true;
    if (frames.includes("1")) this._close("forced close");
    this.#flush();
  }

  /** The exact size of a frame on its way, in bytes: base64 makes bytes a third longer. */
  #byteLength(frame: Frame): number {
    const { size } = new Blob([frame as string]);
    return this.#isPolling && typeof frame !== "string" ? (size * 4) / 3 : size;
  }
}

/** Node, Deno and Bun accept headers in the place of the subprotocols; a browser throws. */
function openWebSocket(address: string, headers: Record<string, string> | undefined): WebSocket {
  try {
    return new WebSocket(address, { headers } as unknown as string);
  } catch {
    return new WebSocket(address);
  }
}

async function toBytes(frame: Frame): Promise<string | Uint8Array> {
  return frame instanceof Blob ? new Uint8Array(await frame.arrayBuffer()) : frame;
}

/** At least as many bytes as a frame and its separator take on the wire, for little work. */
function upperBound(frame: Frame): number {
  return 3 * (frame instanceof Blob ? frame.size : frame.length);
}
