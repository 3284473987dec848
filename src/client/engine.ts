import { type Fire, type LooseEmitter, makeEmitter } from "./emitter.ts";
import { createDecoder, encode, type Frame } from "./packets.ts";
import type { DisconnectReason, ManagerOptions, TransportName } from "./types.ts";

/** The connection below a Manager, without its types: `socket.io.engine`. */
export interface LooseEngine extends LooseEmitter {
  id: string;
  readyState: "opening" | "open" | "closing" | "closed";
  transport: { name: TransportName; writable: boolean };
  close(): void;
  /** Closes at once, for a reason. */
  close_(reason: DisconnectReason, description?: Error): void;
  /** Sends a packet; true when the server would end the connection because of its size, so that it stays here. */
  send_(...packet: Parameters<typeof encode>): boolean;
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
export function openEngine(origin: string, opts: ManagerOptions, notify: Fire): LooseEngine {
  const names = [...(opts.transports ?? ["polling", "websocket"])];
  const abort = new AbortController();
  const decode = createDecoder();
  const buffer: Frame[] = [];
  const transport = { writable: true } as LooseEngine["transport"];
  let state: LooseEngine["readyState"] = "opening";
  let patience: number;
  let maxPayload: number;
  let deadline: number;
  let firstError: Error | undefined;
  let isUpgrading: boolean | undefined;
  let isTalkative: boolean | undefined;
  let isPolling: boolean | undefined;
  let socket: WebSocket;
  let reading: Promise<void>;
  let writing: unknown;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const engine = {
    id: "",
    get readyState() {
      return state;
    },
    transport,
    close() {
      write("1");
      if (state === "open") state = "closing";
      else close("forced close");
    },
    close_: close,
    send_(...packet) {
      const frames = encode(...packet);
      const isTooLarge = frames.some(
        (frame, index) =>
          weigh(frame) > maxPayload &&
          // All but the header is binary, and longer in base64.
          new Blob([frame as string]).size * (isPolling && index ? 4 : 3) > maxPayload * 3,
      );
      if (!isTooLarge) frames.map(write);
      return isTooLarge;
    },
    // What is emitted before the timer fires finds it expired too.
    isExpired_: () => Date.now() >= deadline && !wait(0),
    probe_() {
      if (engine.isExpired_()) return;
      write("3");
      if (isTalkative) wait(PROBE_TIMEOUT);
    },
  } as LooseEngine;
  const fire = makeEmitter(engine, notify);

  /** By the first character of a frame; any other is an error. */
  const reactions = {
    0(data: string) {
      const handshake: Handshake = JSON.parse(data);
      engine.id = handshake.sid;
      state = "open";
      isTalkative = isPolling;
      patience = handshake.pingInterval + handshake.pingTimeout;
      maxPayload = handshake.maxPayload;
      later(fire, "open");
      if (opts.upgrade !== false && names.includes("websocket") && handshake.upgrades.includes("websocket"))
        connect(true);
    },
    1: () => later(end, "transport close"),
    2() {
      write("3");
      later(fire, "ping");
    },
    3() {},
    4(message: string | ArrayBuffer | Uint8Array) {
      try {
        const packet = decode(message);
        if (packet) later(fire, "packet", packet);
      } catch (error) {
        later(close, "parse error", error as Error);
      }
    },
    5() {},
    6() {
      isTalkative = true;
    },
    b: (data: string) => onFrame(Uint8Array.from(atob(data), (char) => char.charCodeAt(0)).buffer),
  };

  if (opts.timeout !== false)
    timer = setTimeout(close, opts.timeout, "transport error", new Error("timeout"));
  later(open);
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
    const path = (opts.path ?? "/socket.io").replace(/\/?$/, "/");
    return `${origin + path}?${new URLSearchParams(opts.query)}&EIO=4&transport=${name}${engine.id && `&sid=${engine.id}`}`;
  }

  async function request(frames?: Frame[]): Promise<string | undefined> {
    let context: Response;
    try {
      context = await fetch(url("polling"), {
        method: frames && "POST",
        body:
          frames &&
          (
            await Promise.all(
              frames.map(async (frame) =>
                typeof frame === "string"
                  ? frame
                  : `b${btoa(new Uint8Array(await new Blob([frame as unknown as string]).arrayBuffer()).reduce((text, byte) => text + String.fromCharCode(byte), ""))}`,
              ),
            )
          ).join("\x1e"),
        headers: opts.extraHeaders,
        // A Worker refuses the field itself, so it has a value only when somebody wants it.
        credentials: opts.withCredentials ? "include" : undefined,
        signal: abort.signal,
      });
      const body = await context.text();
      if (context.ok) return body;
      // The end of the connection takes the body away from a response that nobody has read.
      context = new Response(body, context);
    } catch (error) {
      context = error as Response;
    }
    end("transport error", `fetch ${frames ? "write" : "read"} error`, context, context.status);
  }

  /** Ends with the first request that fails: what follows, another transport or nothing, is `end`'s to say. */
  async function read(): Promise<void> {
    while (isPolling && !isUpgrading) {
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
    let isOver: boolean | undefined;
    const fail = (event: unknown) => {
      if (isOver) return;
      isOver = true;
      if (isCandidate) {
        // A read loop that has not seen the pause yet goes on by itself; this one waits behind it.
        if (isUpgrading) reading = reading.then(read);
        isUpgrading = false;
        fire("upgradeError", event);
        flush();
      } else if ((event as Event).type === "close")
        end("transport close", "websocket connection closed", event);
      else end("transport error", "websocket error", event, event);
    };
    try {
      try {
        // Node, Deno and Bun take headers in the place of the subprotocols; a browser throws at them.
        socket = new WebSocket(address, { headers: opts.extraHeaders } as unknown as string);
      } catch {
        socket = new WebSocket(address);
      }
      socket.binaryType = "arraybuffer";
      socket.onopen = () => isCandidate && socket.send("2probe");
      socket.onerror = socket.onclose = fail;
      socket.onmessage = async ({ data }) => {
        if (!isCandidate) return onFrame(data);
        if (data !== "3probe") return fail(data);
        isUpgrading = true;
        await reading;
        await writing;
        if (!isUpgrading) return;
        socket.send("5");
        isPolling = isTalkative = isCandidate = isUpgrading = false;
        transport.name = "websocket";
        fire("upgrade", transport);
        flush();
      };
    } catch (error) {
      fail(error);
    }
  }

  function onFrame(frame: string | ArrayBuffer): void {
    if (state === "closed") return;
    try {
      if (typeof frame === "string") reactions[frame[0] as "b"](frame.slice(1));
      // Bytes as the platform likes them: a Buffer where there is one.
      else reactions[4](globalThis.Buffer?.from(frame) ?? frame);
      wait(patience);
    } catch (error) {
      end("transport error", "parse error", error);
    }
  }

  function end(
    reason: DisconnectReason,
    message: string = reason,
    context?: unknown,
    description: unknown = message,
  ): void {
    const error = Object.assign(new Error(message), { type: "TransportError", description, context });
    if (state === "opening") {
      firstError ??= error;
      if (opts.tryAllTransports === false) names.length = 0;
      open();
    } else close(reason, error);
  }

  function close(reason: DisconnectReason, description?: Error): void {
    if (state === "closed") return;
    state = "closed";
    isUpgrading = false;
    // Closed in the turn that made it, it opens nothing.
    names.length = 0;
    clearTimeout(timer);
    abort.abort();
    (socket as WebSocket | undefined)?.close();
    fire("close", reason, description);
  }

  /** Listeners are called later: what they throw is the page's to hear, and no fault of the connection. */
  function later<Args extends unknown[]>(run: (...args: Args) => unknown, ...args: Args): void {
    queueMicrotask(() => run(...args));
  }

  function wait(ms: number): undefined {
    clearTimeout(timer);
    if (state === "closed") return;
    deadline = Date.now() + ms;
    timer = setTimeout(close, ms, "ping timeout");
  }

  function write(frame: Frame): void {
    if (state !== "open") return;
    buffer.push(frame);
    flush();
  }

  async function flush(): Promise<void> {
    if (isUpgrading || !transport.writable || !buffer[0]) return;
    transport.writable = false;
    // What is emitted in one turn leaves together, as far as one POST may carry it.
    await 0;
    let size = 0;
    const frames = buffer.filter((frame, index) => {
      size += weigh(frame);
      // A farewell travels alone: with it, a server takes a packet before it for unsaid.
      return !index || (size < maxPayload && frame !== "1");
    });
    buffer.splice(0, frames.length);
    writing = isPolling ? request(frames) : frames.map((frame) => socket.send(frame as unknown as string));
    await writing;
    transport.writable = true;
    // An answered POST is a sign of life; a WebSocket takes everything.
    if (isPolling) wait(patience);
    if (frames.includes("1")) close("forced close");
    flush();
  }
}

/** An upper bound of the bytes that a frame and its separator take on the wire, for little work: none is all "€". */
function weigh(frame: Frame): number {
  return 3 * ((frame as ArrayBuffer).byteLength ?? (frame as Blob).size ?? (frame as string).length);
}
