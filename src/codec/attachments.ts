import { CodecError } from "./codec-error.ts";

/**
 * Levels of nesting in data to be sent. Deeper data is taken for circular: a fixed limit is the same on every engine,
 * where a stack overflow is not, and receivers in Python or Java stop here too.
 */
export const MAX_DEPTH = 1000;

/** Bytes as they leave in a message of their own. A Blob passes through: only its owner may wait for its bytes. */
export type Attachment = Uint8Array | Blob;

/** The header, and what must follow it. */
export type EncodedPacket = [header: string, ...attachments: Attachment[]];

type Container = Record<string | number, unknown>;

/**
 * Moves every binary value of `value` to `frames` and leaves a placeholder. Nothing is copied but the way down to a
 * binary value, so data without any comes back as it is.
 *
 * Every event passes here, so what is rare is asked last: a `constructor` of Object is the cheapest proof of a plain
 * object, and only a function found on the way can be the `toJSON` of one.
 * @throws CodecError "CIRCULAR"
 */
export function extractAttachments(value: object, frames: EncodedPacket, depth = 0, isJson = false): unknown {
  if (depth >= MAX_DEPTH) throw new CodecError("CIRCULAR");
  const container = value as Container;
  let copy: Container | undefined;
  if (value.constructor !== Object) {
    if (Array.isArray(value)) return extractFromArray(value, frames, depth + 1);
    const attachment = toAttachment(value);
    if (attachment) return { _placeholder: true, num: frames.push(attachment) - 2 };
    if (!isJson && typeof container.toJSON === "function") return extractFromJson(container, frames, depth);
  }
  const { length } = frames;
  for (const key in container) {
    const item = container[key];
    if (typeof item === "object" && item) {
      const before = frames.length;
      const next = extractAttachments(item, frames, depth + 1);
      if (next === item) continue;
      if (Object.hasOwn(container, key)) {
        // An own `__proto__` of the source is own in the copy too: setting it then touches no prototype.
        copy ??= { ...container };
        copy[key] = next;
      } else frames.length = before;
    } else if (key === "toJSON" && typeof item === "function" && !isJson) {
      frames.length = length;
      return extractFromJson(container, frames, depth);
    }
  }
  return copy ?? value;
}

function extractFromArray(items: unknown[], frames: EncodedPacket, depth: number): unknown[] {
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item === "object" && item) {
      const next = extractAttachments(item, frames, depth);
      if (next === item) continue;
      copy ??= [...items];
      copy[i] = next;
    }
  }
  return copy ?? items;
}

/** What `toJSON` returns counts only where it has binary values: JSON.stringify asks for everything else itself. */
function extractFromJson(container: Container, frames: EncodedPacket, depth: number): unknown {
  const { length } = frames;
  const json: object = Object((container as { toJSON(): unknown }).toJSON());
  const next = extractAttachments(json, frames, depth, true);
  return frames.length > length ? next : container;
}

/** The bytes of a binary value as a view on them, or undefined for any other object. */
function toAttachment(value: object): Attachment | undefined {
  if (value instanceof Uint8Array || value instanceof Blob) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

/**
 * Puts attachments where `data`, fresh from JSON, has placeholders. Data of any depth will do: nothing recurses.
 * @throws CodecError "ILLEGAL_ATTACHMENTS"
 */
export function insertAttachments(data: unknown, attachments: readonly unknown[]): void {
  const containers = [data as Container];
  const visit = (container: Container, key: string | number) => {
    const item = container[key] as Container | null;
    if (typeof item !== "object" || !item) return;
    const { num } = item;
    if (item._placeholder !== true) containers.push(item);
    else if (typeof num === "number" && num >= 0 && num < attachments.length)
      container[key] = attachments[num];
    else throw new CodecError("ILLEGAL_ATTACHMENTS");
  };
  for (const container of containers) {
    if (!Array.isArray(container)) for (const key in container) visit(container, key);
    else for (let i = 0; i < container.length; i++) visit(container as unknown as Container, i);
  }
}
