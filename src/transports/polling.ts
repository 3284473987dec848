import { type DecodedPayload, decodePayload, encodePayload, type Frame } from "../codec/index.ts";
import { BINARY_TYPE, decodePayloadV3, encodePayloadV3 } from "./eio3.ts";

/** python-engineio hangs up when a payload has more packets. */
const CAUTIOUS_LIMIT = 16;
const GENEROUS_LIMIT = 10_000;

/** How many packets the client takes in one payload; only browsers and the official Node client are known to take more than 16. */
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
 * For every response that may have a body: its bytes are what they are. Without it the runtime compresses once more what
 * Hono's `compress` has compressed.
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

/**
 * Reads a body of at most `limit` bytes, as text where that is known to be enough.
 * @throws BodyTooLarge; whatever the stream throws when the client goes away
 */
export async function readBody(
  request: Request,
  limit: number,
  isBinary: boolean,
): Promise<Uint8Array | string> {
  const length = request.headers.get("content-length");
  if (length !== null) {
    if (Number(length) > limit) throw new BodyTooLarge();
    return isBinary ? new Uint8Array(await request.arrayBuffer()) : request.text();
  }
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of request.body ?? []) {
    total += chunk.byteLength;
    if (total > limit) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return concat(chunks, total);
}

function concat(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const bytes = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** The packets of a body. */
export function decodeBody(body: Uint8Array | string, isBinary: boolean, protocol: 3 | 4): DecodedPayload {
  if (protocol === 3 && isBinary) return decodePayloadV3(body);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  return protocol === 3 ? decodePayloadV3(text) : decodePayload(text);
}
