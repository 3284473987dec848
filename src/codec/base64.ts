/** What newer runtimes offer; the library types of this project do not know it yet. */
interface NativeBase64 {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
  prototype: { toBase64?(): string };
}

const native = Uint8Array as unknown as NativeBase64;

/** Arguments passed to `String.fromCharCode` in one call: engines overflow their stack somewhere above 60,000. */
const CHUNK = 8192;

/** Standard base64 with padding, as Engine.IO carries bytes inside text. */
export function toBase64(bytes: Uint8Array): string {
  if (native.prototype.toBase64) return native.prototype.toBase64.call(bytes);
  let latin1 = "";
  for (let i = 0; i < bytes.length; i += CHUNK) {
    latin1 += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  }
  return btoa(latin1);
}

/** Reads base64, padding and white space optional. Throws on anything else: both platform decoders agree on that. */
export function fromBase64(text: string): Uint8Array {
  if (native.fromBase64) return native.fromBase64(text);
  const latin1 = atob(text);
  const bytes = new Uint8Array(latin1.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = latin1.charCodeAt(i);
  return bytes;
}
