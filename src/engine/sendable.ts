/** What a message may be made of. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** A message as frames carry it: text, or the bytes that a view shows. */
export function toData(data: Sendable): string | Uint8Array {
  if (typeof data === "string" || data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // As on Node: what is falsy is an empty message, and what is neither text nor bytes becomes text.
  return data ? String(data) : "";
}
