import { encodePayload, type Frame } from "../codec/index.ts";
import { CAUTIOUS_LIMIT, GENEROUS_LIMIT, SHORT_BODY } from "./constants.ts";
import { BINARY_TYPE, encodePayloadV3 } from "./eio3.ts";

/**
 * How many packets the client takes in one payload. Only browsers and the official Node client are known to take more
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

/** What the encoding of a payload depends on, from the first request of the client. */
export interface PayloadFormat {
  readonly protocol: 3 | 4;
  readonly b64: boolean;
}

/**
 * For every response that may have a body: tells the runtime that the body is encoded. Without it, the runtime would
 * compress again what Hono's `compress` has compressed.
 */
export const ENCODED: ResponseInit = { encodeBody: "manual" };

const TEXT = toInit(PAYLOAD_TYPE);
const BINARY = toInit(BINARY_TYPE);
const OK = toInit("text/html");

/** A `Headers` object that is there is copied faster than a new record is read. */
function toInit(type: string): ResponseInit & { readonly headers: Headers } {
  return { ...ENCODED, headers: new Headers({ "content-type": type, "cache-control": "no-store" }) };
}

/** The response to a GET. */
export function payloadResponse(payload: string | Uint8Array | ArrayBuffer, headers?: Headers): Response {
  return respond(payload, typeof payload === "string" ? TEXT : BINARY, headers);
}

/** The response to a POST whose packets were accepted. */
export function okResponse(headers?: Headers): Response {
  return respond("ok", OK, headers);
}

/** Few responses have headers of listeners as well. */
function respond(
  body: string | Uint8Array | ArrayBuffer,
  init: ReturnType<typeof toInit>,
  headers?: Headers,
): Response {
  if (headers === undefined) return new Response(body as BodyInit, init);
  for (const [name, value] of init.headers) headers.set(name, value);
  return new Response(body as BodyInit, { ...ENCODED, headers });
}

/** Thrown for a body that has more bytes than the server accepts. */
export class BodyTooLarge extends Error {}

/** A body that is being read. The heartbeat sees when a part of it last arrived, and may give it up. */
export class Upload {
  heardAt: number;
  readonly #now: () => number;
  readonly #hold: (bytes: number) => void;
  #why: Error | undefined;
  #stop: ((why: Error) => void) | undefined;

  /** `hold` is called with the number of bytes in memory, each time it grows. */
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
   * Reads a body of at most `limit` bytes: as text, unless it is binary.
   * @throws BodyTooLarge, the reason why it was given up, or what the stream throws when the client goes away
   */
  async read(request: Request, limit: number, isBinary: boolean): Promise<Uint8Array | string> {
    const length = Number(request.headers.get("content-length") ?? SHORT_BODY + 1);
    if (length > Math.max(limit, SHORT_BODY + 1)) throw new BodyTooLarge();
    if (length > SHORT_BODY) {
      const bytes = await this.#readChunks(request, limit);
      return isBinary ? bytes : new TextDecoder().decode(bytes);
    }
    if (length > limit) throw new BodyTooLarge();
    return new Promise((resolve, reject) => {
      this.#stop = reject;
      if (isBinary) request.arrayBuffer().then((bytes) => resolve(new Uint8Array(bytes)), reject);
      else request.text().then(resolve, reject);
    });
  }

  /**
   * Copies the chunks into one buffer: held one by one, many small chunks would take much more memory than they have
   * bytes.
   */
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
