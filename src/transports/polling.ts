import { type DecodedPayload, decodePayload, encodePayload, type Frame } from "../codec/index.ts";
import { BINARY_TYPE, decodePayloadV3, encodePayloadV3 } from "./eio3.ts";

/** python-engineio hangs up when a payload has more packets. */
const CAUTIOUS_LIMIT = 16;
const GENEROUS_LIMIT = 10_000;

/**
 * How many packets the client takes in one payload; only browsers and the official Node client are known to take more
 * than 16.
 */
export function toPacketLimit(userAgent: string | undefined): number {
  const isGenerous = userAgent !== undefined && /^(Mozilla\/|node-XMLHttpRequest)/.test(userAgent);
  return isGenerous ? GENEROUS_LIMIT : CAUTIOUS_LIMIT;
}

export const PAYLOAD_TYPE = "text/plain; charset=UTF-8";

export function toPayload(frames: readonly Frame[], format: PayloadFormat): string | Uint8Array {
  return format.protocol === 3 ? encodePayloadV3(frames, format.b64) : encodePayload(frames);
}

/** What a payload looks like depends on what the client said in its first request. */
export interface PayloadFormat {
  readonly protocol: 3 | 4;
  readonly b64: boolean;
}

/**
 * For every response that may have a body: its bytes are what they are. Without it the runtime compresses once more
 * what Hono's `compress` has compressed.
 */
export const ENCODED: ResponseInit = { encodeBody: "manual" };

/** The answer to a GET. */
export function payloadResponse(payload: string | Uint8Array | ArrayBuffer, headers?: Headers): Response {
  return respond(payload, typeof payload === "string" ? PAYLOAD_TYPE : BINARY_TYPE, headers);
}

/** The answer to a POST whose packets were taken. */
export function okResponse(headers?: Headers): Response {
  return respond("ok", "text/html", headers);
}

/** Few requests have headers of their own, and a `Headers` that is made for nothing costs as much as the response. */
function respond(body: string | Uint8Array | ArrayBuffer, type: string, headers?: Headers): Response {
  if (headers === undefined) {
    const fixed = { "content-type": type, "cache-control": "no-store" };
    return new Response(body as BodyInit, { ...ENCODED, headers: fixed });
  }
  headers.set("content-type", type);
  headers.set("cache-control", "no-store");
  return new Response(body as BodyInit, { ...ENCODED, headers });
}

/** A body that holds more bytes than the server takes. */
export class BodyTooLarge extends Error {}

/** Of a body so short nobody asks how far it has come, bytes: to read it in one go is quicker. */
const SHORT_BODY = 16_000;

/** A body that is being read. Whoever looks after its session sees when some of it came last, and can give it up. */
export class Upload {
  heardAt: number;
  readonly #now: () => number;
  readonly #hold: (bytes: number) => void;
  #why: Error | undefined;
  #stop: ((why: Error) => void) | undefined;

  /** `hold` hears how many bytes are held, each time that more are. */
  constructor(now: () => number, hold: (bytes: number) => void) {
    this.#now = now;
    this.#hold = hold;
    this.heardAt = now();
  }

  giveUp(why: Error): void {
    this.#why ??= why;
    this.#stop?.(why);
  }

  /**
   * Reads a body of at most `limit` bytes, as text where that is known to be enough.
   * @throws BodyTooLarge; why it was given up; whatever the stream throws when the client goes away
   */
  async read(request: Request, limit: number, isBinary: boolean): Promise<Uint8Array | string> {
    const length = Number(request.headers.get("content-length") ?? SHORT_BODY + 1);
    if (length > Math.max(limit, SHORT_BODY + 1)) throw new BodyTooLarge();
    if (length > SHORT_BODY) return this.#readChunks(request, limit);
    if (length > limit) throw new BodyTooLarge();
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      if (isBinary) request.arrayBuffer().then((bytes) => resolve(new Uint8Array(bytes)), reject);
      else request.text().then(resolve, reject);
    });
  }

  /** However small its chunks are, not much more is held than has come. */
  async #readChunks({ body }: Request, limit: number): Promise<Uint8Array> {
    let bytes = new Uint8Array(SHORT_BODY);
    let total = 0;
    const reader = body?.getReader();
    const cancel = (why: Error) => void reader?.cancel(why).catch(() => {});
    this.#stop = cancel;
    for (;;) {
      const read = await reader?.read().catch((error: unknown) => {
        throw this.#why ?? error;
      });
      if (this.#why !== undefined) throw this.#why;
      const chunk: Uint8Array | undefined = read?.value;
      if (chunk === undefined) return bytes.subarray(0, total);
      this.heardAt = this.#now();
      const from = total;
      total += chunk.byteLength;
      if (total > limit) {
        cancel(new BodyTooLarge());
        throw new BodyTooLarge();
      }
      if (total > bytes.length) {
        const larger = new Uint8Array(Math.min(limit, 2 * total));
        larger.set(bytes.subarray(0, from));
        bytes = larger;
        this.#hold(bytes.length);
        if (this.#why !== undefined) throw this.#why;
      }
      bytes.set(chunk, from);
    }
  }
}

/** The packets of a body. */
export function decodeBody(body: Uint8Array | string, isBinary: boolean, protocol: 3 | 4): DecodedPayload {
  if (protocol === 3 && isBinary) return decodePayloadV3(body);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  return protocol === 3 ? decodePayloadV3(text) : decodePayload(text);
}
