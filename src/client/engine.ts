import { encodeMessages } from "../codec/encode-packet.ts";
import type { Attachment, EnginePacket, SocketPacket } from "../codec/index.ts";
import { decodeFrame, encodePayload, PacketDecoder, SEPARATOR } from "../codec/index.ts";
import { Emitter } from "./emitter.ts";
import type { DefaultEventsMap, DisconnectReason, ManagerOptions, TransportName } from "./types.ts";

/** Is called with every event of an engine before the listeners are. */
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

/** How long the server may take to answer when the page or its network comes back, in milliseconds. */
const PROBE_TIMEOUT_MS = 5000;

/**
 * One Engine.IO connection. It uses nothing of the platform but `fetch` and `WebSocket`.
 *
 *     opening --handshake--> open --close()--> closing --everything is written--> closed
 *        |-- the next transport  `---- an error, the ping timeout, a close packet ----^
 *
 * Its events are `open`, `ping`, `packet(packet)`, `upgrade(transport)`, `upgradeError(cause)` and
 * `close(reason, description)`.
 */
export class Engine extends Emitter<DefaultEventsMap> {
  /** Whether the last connection used a WebSocket, for `rememberUpgrade`. */
  static #didWebSocketWork = false;

  /** The id of the session, which is a secret, unlike the ids of sockets. */
  id = "";
  readyState: "opening" | "open" | "closing" | "closed" = "opening";
  /** `writable` is true when a packet that is sent now is not buffered. */
  readonly transport: { name: TransportName; writable: boolean } = { name: "polling", writable: true };

  readonly #origin: string;
  readonly #opts: ManagerOptions;
  readonly #observer: Observer;
  /** The transports that have not been tried yet, in order. */
  readonly #candidates: string[];
  readonly #abort = new AbortController();
  readonly #decoder = new PacketDecoder();
  #buffer: Frame[] = [];
  #socket: WebSocket | undefined;
  #isUpgrading = false;
  /** Whether the server answers a pong with a noop, which shows quickly whether the connection is lost. */
  #answersPongs = false;
  /** The loop that polls. It settles when the loop ends. */
  #reading: Promise<void> | undefined;
  #writing: unknown;
  #maxPayload = Infinity;
  /** How long the server may be silent, in milliseconds: `pingInterval` and `pingTimeout` together. */
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

  /** Closes the connection as soon as everything is written and no upgrade is under way. */
  close(): void {
    this.#write("1");
    if (this.readyState === "open") this.readyState = "closing";
    else this._close("forced close");
  }

  /** Closes the connection at once. @internal */
  _close(reason: DisconnectReason, description?: Error): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.#isUpgrading = false;
    // An engine that is closed before its first microtask must not open a transport.
    this.#candidates.length = 0;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#socket?.close();
    this._fire("close", reason, description);
  }

  /**
   * Sends a packet. Returns false, and sends nothing, when a frame of it is larger than the server's `maxPayload`,
   * because the server would close the connection. @internal
   */
  _send(packet: SocketPacket): boolean {
    const frames = encodeMessages("4", packet, () => false);
    const isTooLarge = frames.some(
      (frame) => upperBound(frame) > this.#maxPayload && this.#byteLength(frame) > this.#maxPayload,
    );
    if (!isTooLarge) for (const frame of frames) this.#write(frame);
    return !isTooLarge;
  }

  /** Whether the server has been silent for too long. A throttled timer may not have noticed it yet. @internal */
  _isExpired(): boolean {
    const isExpired = Date.now() >= this.#deadline;
    // Closes in the next turn; an event that is emitted until then finds the connection expired too.
    if (isExpired) this.#wait(0);
    return isExpired;
  }

  /** Asks the server for a sign of life, to notice a lost connection before the ping timeout does. @internal */
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

  /** Returns the body of the answer, or undefined when the request failed, which ends the connection. */
  async #request(frames?: readonly Frame[]): Promise<string | undefined> {
    let context: unknown;
    let status: number | undefined;
    try {
      const response = await fetch(this.#url("polling"), {
        method: frames && "POST",
        body: frames && encodePayload(await Promise.all(frames.map(toBytes))),
        headers: this.#opts.extraHeaders,
        // Workers throw when the field has a value at all, so it is undefined unless the option is set.
        credentials: this.#opts.withCredentials ? "include" : undefined,
        signal: this.#abort.signal,
      });
      const body = await response.text();
      if (response.ok) return body;
      status = response.status;
      // Aborting at the end of the connection would discard the unread body, so the error carries a copy.
      context = new Response(body, response);
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      context = error;
    }
    this.#fail("transport error", `fetch ${frames ? "write" : "read"} error`, context, status);
    return undefined;
  }

  /** Polls until a request fails, an upgrade pauses it, or the transport changes. */
  async #read(): Promise<void> {
    while (this.#isPolling && !this.#isUpgrading) {
      const body = await this.#request();
      if (body === undefined) return;
      for (const frame of body.split(SEPARATOR)) {
        this.#onFrame(frame);
        // The listeners of a packet run in a microtask; they have to run before the next packet, which may be a close.
        await undefined;
      }
    }
  }

  /** Connects by WebSocket. If it upgrades the session, it is probed first, and then replaces polling. */
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
      // The polling loop may have stopped for the upgrade. If it has not, the new loop begins when the old one ends.
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

  /**
   * Listeners run in a microtask, so that an error that they throw reaches the page and does not end the connection.
   */
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
      // As with the official client, bytes arrive as a Buffer where the platform has that class.
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

  /** Handles the failure of a transport. While the connection opens, the next transport is tried. */
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

  /** Closes the connection when the page goes away. No event is emitted in the page. */
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
    // Events that are emitted in one turn are sent together, as many as one POST may carry.
    await undefined;
    let size = 0;
    const frames = this.#buffer.filter((frame, index) => {
      size += upperBound(frame);
      // A close packet is sent alone, because a server discards packets before it in the same body.
      return index === 0 || (size < this.#maxPayload && frame !== "1");
    });
    this.#buffer.splice(0, frames.length);
    if (this.#isPolling) {
      this.#writing = this.#request(frames);
      await this.#writing;
      // The answer to a POST is a sign of life. Writing to a WebSocket succeeds even when the connection is lost.
      this.#wait(this.#patience);
    } else for (const frame of frames) this.#socket?.send(frame as string);
    this.transport.writable = true;
    if (frames.includes("1")) this._close("forced close");
    this.#flush();
  }

  /** The exact size of a frame on the wire, in bytes. Base64 makes binary frames a third longer. */
  #byteLength(frame: Frame): number {
    const { size } = new Blob([frame as string]);
    return this.#isPolling && typeof frame !== "string" ? (size * 4) / 3 : size;
  }
}

/** Node, Deno and Bun accept an object with headers in place of the subprotocols; a browser throws. */
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

/** An upper bound, which is cheap to compute, for the bytes of a frame and its separator on the wire. */
function upperBound(frame: Frame): number {
  return 3 * (frame instanceof Blob ? frame.size : frame.length);
}
