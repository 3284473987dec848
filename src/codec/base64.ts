/** What newer runtimes offer; the library types of this project do not know it yet. */
interface NativeBase64 {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
  prototype: { toBase64?(): string };
}

/** Every current runtime has both; what stands in for them elsewhere is short rather than fast. */
const native = Uint8Array as unknown as NativeBase64;

/** Standard base64 with padding, as Engine.IO carries bytes inside text. */
export function toBase64(bytes: Uint8Array): string {
  if (native.prototype.toBase64) return native.prototype.toBase64.call(bytes);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Reads base64, padding and white space optional. Throws on anything else: both platform decoders agree on that. */
export function fromBase64(text: string): Uint8Array {
  if (native.fromBase64) return native.fromBase64(text);
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
