/** The form of a value that JSON does not have: its kind, and its parts. */
type Tagged = { readonly $: string; readonly v: unknown };

const KEY = "$";

/** Returns text for a value that structured clone accepts, in which bytes of any kind become a `Uint8Array`. */
export function toText(value: unknown): string {
  return JSON.stringify(tag(value));
}

/** Returns the value from which `toText` made a text. */
export function fromText(text: string): unknown {
  return untag(JSON.parse(text));
}

function tag(value: unknown): unknown {
  if (value === undefined) return { $: "undefined", v: null };
  if (typeof value === "bigint") return { $: "bigint", v: String(value) };
  if (typeof value === "number" && !isInJson(value)) return { $: "number", v: tagNumber(value) };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, tag);
  if (value instanceof RegExp) return { $: "regexp", v: [value.source, value.flags] };
  if (value instanceof Error) return { $: "error", v: [value.name, value.message] };
  if (value instanceof Date) return { $: "date", v: tag(value.getTime()) };
  if (value instanceof Map) return { $: "map", v: [...value].map(([key, item]) => [tag(key), tag(item)]) };
  if (value instanceof Set) return { $: "set", v: [...value].map(tag) };
  if (value instanceof ArrayBuffer) return { $: "bytes", v: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) {
    return { $: "bytes", v: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] };
  }
  const entries = Object.entries(value).map(([key, item]) => [key, tag(item)] as const);
  const plain = Object.fromEntries(entries);
  return KEY in value ? { $: "object", v: plain } : plain;
}

function isInJson(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function tagNumber(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function untag(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(untag);
  if (KEY in value) return fromTagged(value as Tagged);
  return untagFields(value);
}

function untagFields(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untag(item)]));
}

function fromTagged({ $: kind, v }: Tagged): unknown {
  switch (kind) {
    case "bigint":
      return BigInt(v as string);
    case "number":
      return Number(v);
    case "regexp":
      return new RegExp(...(v as [source: string, flags: string]));
    case "error": {
      const [name, message] = v as [string, string];
      return Object.assign(new Error(message), { name });
    }
    case "date":
      return new Date(untag(v) as number);
    case "map":
      return new Map((v as [unknown, unknown][]).map(([key, item]) => [untag(key), untag(item)]));
    case "set":
      return new Set((v as unknown[]).map(untag));
    case "bytes":
      return Uint8Array.from(v as number[]);
    case "object":
      return untagFields(v as object);
    default:
      return undefined;
  }
}
