import { type Fire, type LooseEmitter, makeEmitter } from "./emitter.ts";
import { createDecoder, encode, type Frame } from "./packets.ts";
import type { DisconnectReason, ManagerOptions, TransportName } from "./types.ts";

/** The connection below a Manager, without its types: `socket.io.engine`. */
export interface LooseEngine extends LooseEmitter {
  id: string;
  readyState: "opening" | "open" | "closing" | "closed";
  transport: { name: TransportName; writable: boolean };
  send(data: Frame): void;
  close(): void;
  /** Closes at once, for a reason. */
  close_(reason: DisconnectReason, description?: Error): void;
  /** Sends a packet; true when the server would end the connection because of its size, so that it stays here. */
  send_(...packet: Parameters<typeof encode>): boolean | undefined;
  /** Whether the server has been silent for too long; a throttled timer may not have noticed. */
  isExpired_(): boolean;
  /** Asks for a sign of life: a lost connection shows at once instead of after the ping timeout. */
  probe_(): void;
}

interface Handshake {
  sid: string;
  upgrades: string[];
  pingInterval: number;
  pingTimeout: number;
  maxPayload: number;
}

/** Milliseconds that a connection has to answer when the page comes back, or the network. */
const PROBE_TIMEOUT = 5000;

/**
 * Opens a connection: polling by `fetch`, WebSocket by `WebSocket`, nothing else of the platform.
 *
 *     opening --handshake--> open --close()--> closing --all is written--> closed
 *        `-- the next transport  `----- error, ping timeout, close packet ----^
 *
 * One function with its state in its variables: these minify to one letter, the fields of a class do not.
 */
export function openEngine(
  origin: string,
  opts: ManagerOptions,
  notify: Fire,
  onOpen: () => void,
  onClose: (reason: DisconnectReason, description?: Error) => void,
): LooseEngine {
  const names = [...(opts.transports ?? ["polling", "websocket"])];
  const abort = new AbortController();
  const decode = createDecoder();
  const buffer: Frame[] = [];
  const transport = { writable: true } as LooseEngine["transport"];
  let patience: number;
  let maxPayload: number;
  let deadline: number;
  let firstError: Error | undefined;
  let isUpgrading: boolean | undefined;
  let answersPongs: boolean | undefined;
  let isPolling: boolean | undefined;
  let socket: WebSocket;
  let reading: Promise<void>;
  let writing: unknown;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const engine = {
    id: "",
    readyState: "opening",
    transport,
    send(data) {
      write(typeof data === "string" ? `4${data}` : data);
    },
    close() {
      if (engine.readyState === "open") {
        write("1");
        engine.readyState = "closing";
      } else close("forced close");
    },
    close_: close,
    send_(...packet) {
      const frames = encode(...packet);
      return frames.some(isTooLarge) || void frames.map(write);
    },
    isExpired_() {
      const isExpired = Date.now() > deadline;
      if (isExpired) queueMicrotask(() => close("ping timeout"));
      return isExpired;
    },
    probe_() {
      if (engine.isExpired_()) return;
      write("3");
      if (isPolling || answersPongs) wait(PROBE_TIMEOUT);
    },
  } as LooseEngine;
  const fire = makeEmitter(engine);

  /** By the first character of a frame; any other is an error. */
  const reactions = {
    0(data: string) {
      const handshake: Handshake = JSON.parse(data);
      engine.id = handshake.sid;
      engine.readyState = "open";
      patience = handshake.pingInterval + handshake.pingTimeout;
      maxPayload = handshake.maxPayload;
      queueMicrotask(onOpen);
      if (opts.upgrade !== false && names.includes("websocket") && handshake.upgrades.includes("websocket"))
        connect(true);
    },
    1: () => end("transport close", "transport closed by the server"),
    2() {
      write("3");
      queueMicrotask(() => notify("ping"));
    },
    3() {},
    4: onMessage,
    5() {},
    6() {
      answersPongs = !isPolling;
    },
    b: (data: string) =>
      onMessage(toHostBytes(Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer)),
  };

  if (opts.timeout !== false)
    timer = setTimeout(close, opts.timeout, "transport error", new Error("timeout"));
  queueMicrotask(open);
  return engine;

  function open(): void {
    const name = names.shift();
    isPolling = name === "polling";
    transport.name = name as TransportName;
    if (isPolling) reading = read();
    else if (name === "websocket") connect();
    else if (name) open();
    else close("transport error", firstError ?? new Error("No transports available"));
  }

  function url(name: TransportName): string {
    const { path = "/socket.io", query } = opts;
    const sid = engine.id && `&sid=${engine.id}`;
    return `${origin}${path.replace(/\/?$/, "/")}?${new URLSearchParams(query)}&EIO=4&transport=${name}${sid}`;
  }

  async function request(frames?: Frame[]): Promise<string | undefined> {
    let context: { status?: number } | undefined;
    try {
      const response = await fetch(url("polling"), {
        method: frames ? "POST" : "GET",
        body: frames && (await Promise.all(frames.map(toText))).join("\x1e"),
        headers: opts.extraHeaders,
        // A Worker refuses the field itself, so it has a value only when somebody wants it.
        credentials: opts.withCredentials ? "include" : undefined,
        signal: abort.signal,
      });
      const body = await response.text();
      if (response.ok) return body;
      // The end of the connection takes the body away from a response that nobody has read.
      context = new Response(body, response);
    } catch (error) {
      context = error as object;
    }
    end("transport error", `fetch ${frames ? "write" : "read"} error`, context, context?.status);
  }

  async function read(): Promise<void> {
    while (!isUpgrading) {
      const body = await request();
      if (body == null) return;
      for (const frame of body.split("\x1e")) {
        onFrame(frame);
        // What a packet causes comes before the next packet, above all before a close.
        await 0;
      }
    }
  }

  /** Connects by WebSocket; a candidate first proves itself and then takes the place of polling. */
  function connect(isCandidate?: boolean): void {
    const address = url("websocket").replace("http", "ws");
    let fail = (reason: DisconnectReason, message: string, event: unknown) => {
      fail = () => {};
      if (!isCandidate) return end(reason, message, event, event);
      // A read loop that has not seen the pause yet goes on by itself; this one waits behind it.
      if (isUpgrading) reading = reading.then(read);
      isUpgrading = false;
      fire("upgradeError", event);
      flush();
    };
    try {
      try {
        // Node, Deno and Bun take headers in the place of the subprotocols; a browser throws at them.
        socket = new WebSocket(address, { headers: opts.extraHeaders } as unknown as string);
      } catch {
        socket = new WebSocket(address);
      }
      abort.signal.onabort = () => socket.close();
      socket.binaryType = "arraybuffer";
      socket.onopen = () => isCandidate && socket.send("2probe");
      socket.onerror = (event) => fail("transport error", "websocket error", event);
      socket.onclose = (event) => fail("transport close", "websocket connection closed", event);
      socket.onmessage = async ({ data }) => {
        if (!isCandidate) return onFrame(data);
        if (data !== "3probe") return fail("transport error", "websocket error", data);
        isUpgrading = true;
        await Promise.all([reading, writing]);
        if (!isUpgrading || engine.readyState === "closed") return;
        socket.send("5");
        isPolling = isCandidate = isUpgrading = false;
        transport.name = "websocket";
        fire("upgrade", transport);
        flush();
      };
    } catch (error) {
      fail("transport error", "websocket error", error);
    }
  }

  function onFrame(frame: string | ArrayBuffer): void {
    if (engine.readyState === "closed") return;
    try {
      if (typeof frame === "string") reactions[frame[0] as "b"](frame.slice(1));
      else onMessage(toHostBytes(frame));
      wait(patience);
    } catch (error) {
      end("transport error", "parser error", error);
    }
  }

  function onMessage(message: string | ArrayBuffer | Uint8Array): void {
    try {
      const packet = decode(message);
      // A listener that throws must not look like a fault of the connection.
      if (packet && engine.readyState === "open") queueMicrotask(() => notify("packet", packet));
    } catch (error) {
      close("parse error", error as Error);
    }
  }

  function end(
    reason: DisconnectReason,
    message: string,
    context?: unknown,
    description: unknown = message,
  ): void {
    const error = Object.assign(new Error(message), { type: "TransportError", description, context });
    if (engine.readyState === "opening") {
      firstError ??= error;
      if (opts.tryAllTransports === false) names.length = 0;
      open();
    } else close(reason, error);
  }

  function close(reason: DisconnectReason, description?: Error): void {
    if (engine.readyState === "closed") return;
    engine.readyState = "closed";
    clearTimeout(timer);
    abort.abort();
    fire("close", reason, description);
    onClose(reason, description);
  }

  function wait(ms: number): void {
    clearTimeout(timer);
    if (engine.readyState === "closed") return;
    deadline = Date.now() + ms;
    timer = setTimeout(close, ms, "ping timeout");
  }

  function write(frame: Frame): void {
    if (engine.readyState !== "open") return;
    buffer.push(frame);
    flush();
  }

  async function flush(): Promise<void> {
    if (isUpgrading || !transport.writable || !buffer[0]) return;
    transport.writable = false;
    // What is emitted in one turn leaves together, as far as one POST may carry it.
    await 0;
    let count = 1;
    let size = weigh(buffer[0]);
    for (let next = buffer[1]; next; next = buffer[++count]) {
      size += weigh(next) + 1;
      if (size > maxPayload) break;
    }
    const frames = buffer.splice(0, count);
    writing = isPolling ? request(frames) : frames.map((frame) => socket.send(frame as unknown as string));
    await writing;
    transport.writable = true;
    // An answered POST is a sign of life; a WebSocket takes everything.
    if (isPolling) wait(patience);
    if (frames.at(-1) === "1") close("forced close");
    flush();
  }

  /** Whether one frame alone is more than the server takes. */
  function isTooLarge(frame: Frame): boolean {
    const ratio = isPolling && typeof frame !== "string" ? 4 / 3 : 1;
    return weigh(frame) > maxPayload && new Blob([frame as string]).size * ratio > maxPayload;
  }
}

/** An upper bound of the bytes that a frame takes on the wire, for little work. */
function weigh(frame: Frame): number {
  const { byteLength, size, length } = frame as { byteLength?: number; size?: number; length?: number };
  return 3 * ((byteLength ?? size ?? length) as number);
}

async function toText(frame: Frame): Promise<string> {
  if (typeof frame === "string") return frame;
  const bytes = new Uint8Array(await new Blob([frame as unknown as string]).arrayBuffer());
  return `b${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
}

/** Bytes as the platform likes them: a Buffer where there is one, else an ArrayBuffer. */
function toHostBytes(bytes: ArrayBuffer): Uint8Array | ArrayBuffer {
  return globalThis.Buffer?.from(bytes) ?? bytes;
}
