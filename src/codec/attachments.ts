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

const EMPTY = {};

/**
 * Somebody put keys on Object.prototype. An object among them inherits itself, so who follows keys has to ask for own
 * ones; asking at every key would cost as much as all the rest.
 */
export function isPrototypePolluted(): boolean {
  for (const _key in EMPTY) return true;
  return false;
}

/**
 * Whether `value` may contain bytes, so that it has to be taken apart. Every event passes here, so what is rare is
 * asked last: a `constructor` of Object is the cheapest proof of a plain object, and only a function found on the way
 * can be the `toJSON` of one.
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
 * A copy of `value` with placeholders for the bytes, which go to `frames`.
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
  // An own `__proto__` of the source is own in the copy too: setting it then touches no prototype.
  const copy: Container = { ...value };
  for (const key of Object.keys(copy)) copy[key] = extract(copy[key]);
  return copy;
}

function assertDepth(depth: number): void {
  if (depth >= MAX_DEPTH) throw new CodecError("CIRCULAR");
}

/** The bytes of a binary value as a view on them, or undefined for any other object. */
export function toAttachment(value: object): Attachment | undefined {
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
