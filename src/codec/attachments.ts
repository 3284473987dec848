import { CodecError } from "./codec-error.ts";
import { MAX_DEPTH } from "./constants.ts";

/**
 * Bytes that are sent as a message of their own. A Blob is passed through, because reading its bytes is asynchronous.
 */
export type Attachment = Uint8Array | Blob;

/** The header of a packet, followed by its attachments. */
export type EncodedPacket = [header: string, ...attachments: Attachment[]];

type Container = Record<string | number, unknown>;

const EMPTY = {};

/**
 * Whether somebody has added enumerable keys to Object.prototype. If one of them holds an object, that object inherits
 * itself, and `for...in` over nested data never ends. Checking for own keys at each step would double the cost of
 * {@link mayHoldBytes}, so this is checked once.
 */
export function isPrototypePolluted(): boolean {
  for (const _key in EMPTY) return true;
  return false;
}

/**
 * Whether `value` may contain bytes, so that attachments have to be extracted from it. Every event passes through here,
 * so the rare cases are checked last: `constructor === Object` is the cheapest proof of a plain object, and a plain
 * object can have a `toJSON` only if one of its values is a function.
 * @throws CodecError "CIRCULAR"
 */
export function mayHoldBytes(value: object, depth = 0): boolean {
  assertDepth(depth);
  if (value.constructor !== Object) {
    if (Array.isArray(value)) return mayListHoldBytes(value, depth + 1);
    if (value instanceof Date) return false;
    if (toAttachment(value) || "toJSON" in value) return true;
  }
  for (const key in value) {
    const item = (value as Container)[key];
    if (typeof item === "object") {
      if (item && mayHoldBytes(item, depth + 1)) return true;
    } else if (typeof item === "function") return true;
  }
  return false;
}

function mayListHoldBytes(items: unknown[], depth: number): boolean {
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item === "object" && item && mayHoldBytes(item, depth)) return true;
  }
  return false;
}

/**
 * Returns a copy of `value` in which placeholders stand for the bytes, and appends the bytes to `frames`.
 * @throws CodecError "CIRCULAR"
 */
export function extractAttachments(
  value: unknown,
  frames: EncodedPacket,
  depth = 0,
  isJson = false,
): unknown {
  if (typeof value !== "object" || !value) return value;
  assertDepth(depth);
  const attachment = toAttachment(value);
  if (attachment) return { _placeholder: true, num: frames.push(attachment) - 2 };
  const { toJSON } = value as Container;
  if (!isJson && typeof toJSON === "function")
    return extractAttachments(toJSON.call(value), frames, depth, true);
  const extract = (item: unknown) => extractAttachments(item, frames, depth + 1);
  if (Array.isArray(value)) return [...value].map(extract);
  // If the source has an own key `__proto__`, the copy has it too, so that assigning to it sets no prototype.
  const copy: Container = { ...value };
  for (const key of Object.keys(copy)) copy[key] = extract(copy[key]);
  return copy;
}

function assertDepth(depth: number): void {
  if (depth >= MAX_DEPTH) throw new CodecError("CIRCULAR");
}

/** A view on the bytes of a binary value; undefined for any other object. */
export function toAttachment(value: object): Attachment | undefined {
  if (value instanceof Uint8Array || value instanceof Blob) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

/** Bytes that can be sent now. @throws Error for a Blob */
export function requireBytes(attachment: unknown): Uint8Array {
  if (attachment instanceof Uint8Array) return attachment;
  throw new Error("a Blob cannot be sent at once; send the result of its arrayBuffer()");
}

/**
 * Replaces the placeholders in `data`, which comes from `JSON.parse`, by the attachments. It does not recurse, so that
 * data of any depth can be processed.
 * @throws CodecError "ILLEGAL_ATTACHMENTS"
 */
export function insertAttachments(data: unknown, attachments: readonly unknown[]): void {
  const containers = [data as Container];
  const visit = (container: Container, key: string | number) => {
    const item = container[key] as Container | null;
    if (typeof item !== "object" || !item || !Object.hasOwn(container, key)) return;
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
