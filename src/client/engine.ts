import { decodeFrame, encodeFrame, type Frame } from "../codec/index.ts";
import { Emitter } from "./emitter.ts";
import { openPolling } from "./polling.ts";
import { type OutgoingFrame, type Transport, type TransportHost, transportError } from "./transport.ts";
import type {
  DefaultEventsMap,
  DisconnectDescription,
  DisconnectReason,
  EngineOptions,
  TransportName,
} from "./types.ts";
import { openWebSocket } from "./websocket.ts";

/** Milliseconds that a connection has to answer when the page comes back, or the network. */
const PROBE_TIMEOUT = 5000;

/**
 * The Engine.IO connection below a Manager: `socket.io.engine`.
 *
 *     opening --handshake--> open --close()--> closing --all is written--> closed
 *        `-- the next transport  `----- error, ping timeout, close packet ----^
 */
export class Engine extends Emitter<DefaultEventsMap> {
  /** Whether the last connection of this process got to WebSocket: for `rememberUpgrade`. */
  static priorWebsocketSuccess = false;

  id = "";
  readyState: "opening" | "open" | "closing" | "closed" = "opening";
  transport!: Transport;
  writeBuffer: OutgoingFrame[] = [];
  readonly opts: EngineOptions;
  readonly #origin: string;
  readonly #names: string[];
  #candidate: Transport | undefined;
  #isUpgrading = false;
  #inFlight = 0;
  #maxPayload = Infinity;
  #patience = 0;
  #deadline = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #answersPongs = false;
  #firstError: DisconnectDescription | undefined;

  constructor(origin: string, options: EngineOptions) {
    super();
    this.#origin = origin;
    this.opts = options;
    this.#names = [...(options.transports ?? ["polling", "websocket"])];
    if (options.rememberUpgrade && Engine.priorWebsocketSuccess) this.#names.sort().reverse();
    queueMicrotask(() => this.#open());
  }

  /** Sends one message. */
  send(data: OutgoingFrame): this {
    return this.#write(toFrame(data));
  }

  /** Closes when all is written and no upgrade is under way. */
  close(): this {
    if (this.readyState === "opening") this.close_("forced close");
    if (this.readyState === "open") {
      this.readyState = "closing";
      this.#flush();
    }
    return this;
  }

  /** Closes at once, for a reason. */
  close_(reason: DisconnectReason, description?: DisconnectDescription, isGraceful?: boolean): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    clearTimeout(this.#timer);
    this.#candidate?.close_();
    this.transport?.close_(isGraceful);
    if (description instanceof Error) this.trigger_("error", description);
    this.trigger_("close", reason, description);
    this.writeBuffer = [];
    this.id = "";
  }

  /** Whether the server has been silent for too long; a throttled timer may not have noticed. */
  isExpired_(): boolean {
    const isExpired = Date.now() > this.#deadline;
    if (isExpired) queueMicrotask(() => this.close_("ping timeout"));
    return isExpired;
  }

  /** Asks for a sign of life: a lost connection shows at once instead of after the ping timeout. */
  probe_(): void {
    if (this.isExpired_() || this.readyState !== "open") return;
    this.#write("3");
    if (this.transport.pause_ || this.#answersPongs) this.#wait(PROBE_TIMEOUT);
  }

  /** Whether the server would end the connection because of this message. */
  isTooLarge_(data: OutgoingFrame): boolean {
    return this.#sizeOf(toFrame(data)) > this.#maxPayload;
  }

  #open(): void {
    const name = this.#names[0];
    if (name) this.#connect(name as TransportName);
    else this.close_("transport error", new Error("No transports available"));
  }

  /** Opens a transport, or a candidate that probes and then takes the place of the transport. */
  #connect(name: TransportName, isCandidate?: boolean): void {
    let isDone = false;
    const host: TransportHost = {
      url_: () => this.#url(name),
      onOpen_: () => {
        if (isCandidate) this.#candidate?.send_(["2probe"]);
      },
      onFrame_: async (frame) => {
        if (!isCandidate) return this.#onFrame(frame, host);
        if (frame !== "3probe") return host.onEnd_("transport error", transportError("probe error"));
        const { transport } = this;
        const candidate = this.#candidate as Transport;
        this.#isUpgrading = true;
        this.trigger_("upgrading", candidate);
        await transport.pause_?.();
        if (isDone || this.readyState === "closed") return;
        candidate.send_(["5"]);
        isCandidate = false;
        this.transport = candidate;
        this.#isUpgrading = false;
        Engine.priorWebsocketSuccess = true;
        this.trigger_("upgrade", candidate);
        this.#flush();
      },
      onDrain_: () => {
        if (!isCandidate) this.#onDrain();
      },
      onEnd_: (reason, description) => {
        if (isDone || this.readyState === "closed") return;
        isDone = true;
        if (!isCandidate) return this.#onEnd(reason, description);
        Engine.priorWebsocketSuccess = false;
        if (this.#isUpgrading) this.transport.resume_?.();
        this.#isUpgrading = false;
        this.trigger_("upgradeError", description);
        this.#flush();
      },
    };
    try {
      const transport = (name === "polling" ? openPolling : openWebSocket)(this.opts, host);
      if (isCandidate) this.#candidate = transport;
      else this.transport = transport;
    } catch (error) {
      host.onEnd_("transport error", error as Error);
    }
  }

  #url(name: TransportName): string {
    const { path = "/socket.io", addTrailingSlash, query } = this.opts;
    const params = new URLSearchParams(query);
    params.set("EIO", "4");
    params.set("transport", name);
    if (this.id) params.set("sid", this.id);
    params.set("t", Math.random().toString(36).slice(2));
    const origin =
      name === "polling" ? this.#origin.replace(/^ws/, "http") : this.#origin.replace(/^http/, "ws");
    return `${origin}${path.replace(/\/$/, "")}${addTrailingSlash === false ? "" : "/"}?${params}`;
  }

  #onFrame(frame: Frame | ArrayBuffer, host: TransportHost): void {
    if (this.readyState === "closed") return;
    try {
      const packet = decodeFrame(frame);
      const { type, data } = packet;
      this.trigger_("packet", packet);
      if (type === "open" && this.readyState === "opening") this.#onHandshake(JSON.parse(data as string));
      this.#wait(this.#patience);
      if (type === "ping") {
        this.trigger_("ping");
        this.#write("3");
      }
      if (type === "message") this.trigger_("data", data);
      if (type === "noop") this.#answersPongs = !this.transport.pause_;
      if (type === "close") host.onEnd_("transport close", { description: "transport closed by the server" });
    } catch (error) {
      host.onEnd_("transport error", error as Error);
    }
  }

  #onHandshake(handshake: {
    sid: string;
    upgrades: string[];
    pingInterval: number;
    pingTimeout: number;
    maxPayload?: number;
  }): void {
    this.id = handshake.sid;
    this.#patience = handshake.pingInterval + handshake.pingTimeout;
    this.#maxPayload = handshake.maxPayload ?? Infinity;
    this.readyState = "open";
    Engine.priorWebsocketSuccess = !this.transport.pause_;
    this.trigger_("open");
    this.#flush();
    if (
      this.opts.upgrade !== false &&
      this.transport.pause_ &&
      this.#names.includes("websocket") &&
      handshake.upgrades.includes("websocket")
    ) {
      this.#connect("websocket", true);
    }
  }

  #onEnd(reason: DisconnectReason, description: DisconnectDescription): void {
    Engine.priorWebsocketSuccess = false;
    if (this.readyState === "opening") {
      if (!(description instanceof Error)) description = transportError(reason, description);
      description = this.#firstError ??= description;
      this.#names.shift();
      if (this.opts.tryAllTransports !== false && this.#names.length) return this.#open();
    }
    this.close_(reason, description);
  }

  #write(frame: OutgoingFrame): this {
    if (this.readyState.startsWith("open")) {
      this.writeBuffer.push(frame);
      this.#flush();
    }
    return this;
  }

  #flush(): void {
    const { transport } = this;
    if (this.readyState === "opening" || this.#isUpgrading || !transport.writable) return;
    if (this.writeBuffer.length) {
      transport.writable = false;
      // What is emitted in one turn leaves together.
      queueMicrotask(() => {
        const frames = this.#fitting();
        this.#inFlight = frames.length;
        transport.send_(frames);
      });
    } else if (this.readyState === "closing") this.close_("forced close", undefined, true);
  }

  #onDrain(): void {
    if (this.readyState === "closed") return;
    this.writeBuffer.splice(0, this.#inFlight);
    this.#inFlight = 0;
    if (this.transport.pause_) this.#wait(this.#patience);
    if (!this.writeBuffer.length) this.trigger_("drain");
    this.#flush();
  }

  /** As many frames as one POST may carry; the first goes in any case. */
  #fitting(): OutgoingFrame[] {
    let count = 0;
    let size = 0;
    if (!this.transport.pause_) return [...this.writeBuffer];
    for (const frame of this.writeBuffer) {
      size += this.#sizeOf(frame) + 1;
      if (count && size > this.#maxPayload + 1) break;
      count++;
    }
    return this.writeBuffer.slice(0, count);
  }

  #sizeOf(frame: OutgoingFrame): number {
    if (typeof frame === "string")
      return frame.length * 3 > this.#maxPayload ? new TextEncoder().encode(frame).length : frame.length;
    const size = frame instanceof Blob ? frame.size : frame.byteLength;
    return this.transport.pause_ ? Math.ceil(size / 3) * 4 + 1 : size;
  }

  #wait(patience: number): void {
    clearTimeout(this.#timer);
    this.#deadline = Date.now() + patience;
    if (patience) this.#timer = setTimeout(() => this.close_("ping timeout"), patience);
  }
}

function toFrame(data: OutgoingFrame): OutgoingFrame {
  return encodeFrame({ type: "message", data: data as Frame });
}
