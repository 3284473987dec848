/** What a message may consist of. */
export type Sendable = string | ArrayBuffer | ArrayBufferView;

/** A message as frames hold it: text, or the bytes of a buffer or view. */
export function toData(data: Sendable): string | Uint8Array {
  if (typeof data === "string" || data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  // As on Node, a falsy value is an empty message, and any other value becomes text.
  return data ? String(data) : "";
}
