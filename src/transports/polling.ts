import type { Frame } from "../codec/index.ts";
import { encodePayload } from "../codec/index.ts";

/** python-engineio hangs up when a payload has more packets. */
const CAUTIOUS_LIMIT = 16;
const GENEROUS_LIMIT = 10_000;

/** How many packets the client takes in one payload; only browsers and the official Node client are known to take more than 16. */
export function toPacketLimit(userAgent: string | null): number {
  const isGenerous = userAgent !== null && /^(Mozilla\/|node-XMLHttpRequest)/.test(userAgent);
  return isGenerous ? GENEROUS_LIMIT : CAUTIOUS_LIMIT;
}

export const PAYLOAD_TYPE = "text/plain; charset=UTF-8";

export function toPayloadResponse(frames: readonly Frame[], headers = new Headers()): Response {
  return payloadResponse(encodePayload(frames), headers);
}

/** The answer to a GET. */
export function payloadResponse(payload: string, headers = new Headers()): Response {
  headers.set("content-type", PAYLOAD_TYPE);
  headers.set("cache-control", "no-store");
  return new Response(payload, { headers });
}

/** The answer to a POST whose packets were taken. */
export function okResponse(headers = new Headers()): Response {
  headers.set("content-type", "text/html");
  headers.set("cache-control", "no-store");
  return new Response("ok", { headers });
}

/** A body that holds more bytes than the server takes. */
export class BodyTooLarge extends Error {}

/**
 * Reads a body of at most `limit` bytes as text.
 * @throws BodyTooLarge; whatever the stream throws when the client goes away
 */
export async function readBody(request: Request, limit: number): Promise<string> {
  const length = request.headers.get("content-length");
  if (length !== null) {
    if (Number(length) > limit) throw new BodyTooLarge();
    return request.text();
  }
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let total = 0;
  for await (const chunk of request.body) {
    total += chunk.byteLength;
    if (total > limit) throw new BodyTooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
