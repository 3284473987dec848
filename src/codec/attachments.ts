import { CodecError } from "./codec-error.ts";

/** Bytes as they leave in a message of their own. A Blob passes through: only its owner may wait for its bytes. */
export type Attachment = Uint8Array | Blob;

type Container = Record<string, unknown>;

/**
 * Moves every binary value of `value` to `frames`, whose first place is the header's, and leaves a placeholder.
 * Nothing is copied but the way down to a binary value, so data without any comes back as it is.
 */
export function extractAttachments(
  value: object,
  frames: (string | Attachment)[],
  isJson?: boolean,
): unknown {
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item !== "object" || item === null) continue;
      const next = extractAttachments(item, frames);
      if (next !== item) {
        copy ??= [...value];
        copy[i] = next;
      }
    }
    return copy ?? value;
  }
  const attachment = toAttachment(value);
  if (attachment) return { _placeholder: true, num: frames.push(attachment) - 2 };
  const container = value as Container;
  if (!isJson && typeof container.toJSON === "function") {
    const { length } = frames;
    const json: unknown = container.toJSON();
    const next = typeof json === "object" && json ? extractAttachments(json, frames, true) : json;
    return frames.length > length ? next : value;
  }
  let copy: Container | undefined;
  for (const key in container) {
    const item = container[key];
    if (typeof item !== "object" || item === null || !Object.hasOwn(container, key)) continue;
    const next = extractAttachments(item, frames);
    if (next !== item) {
      // Without a prototype a key named `__proto__` is a key like any other.
      copy ??= { __proto__: null, ...container };
      copy[key] = next;
    }
  }
  return copy ?? value;
}

/** The bytes of a binary value as a view on them, or undefined for any other object. */
function toAttachment(value: object): Attachment | undefined {
  if (Object.getPrototypeOf(value) === Object.prototype) return undefined;
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return typeof Blob === "function" && value instanceof Blob ? value : undefined;
}

/**
 * Puts attachments where `data`, fresh from JSON, has placeholders. Data of any depth will do: nothing recurses.
 * @throws CodecError "ILLEGAL_ATTACHMENTS"
 */
export function insertAttachments(data: object, attachments: readonly unknown[]): void {
  const containers = [data as Container];
  for (let container = containers.pop(); container; container = containers.pop()) {
    for (const key of Object.keys(container)) {
      const item = container[key] as Container | null;
      if (typeof item !== "object" || item === null) continue;
      if (item._placeholder !== true) containers.push(item);
      else container[key] = attachmentOf(item.num, attachments);
    }
  }
}

function attachmentOf(num: unknown, attachments: readonly unknown[]): unknown {
  if (typeof num === "number" && num >= 0 && num < attachments.length) return attachments[num];
  throw new CodecError("ILLEGAL_ATTACHMENTS");
}
