/** Methods of newer runtimes that TypeScript's libraries do not declare yet. */
interface NativeBase64 {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
  prototype: { toBase64?(): string };
}

/** Every current runtime has both methods; the fallbacks for older ones are short rather than fast. */
const native = Uint8Array as unknown as NativeBase64;

/** Standard base64 with padding, as Engine.IO carries bytes inside text. */
export function toBase64(bytes: Uint8Array): string {
  if (native.prototype.toBase64) return native.prototype.toBase64.call(bytes);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Decodes base64; padding and white space are optional. @throws when the text contains anything else */
export function fromBase64(text: string): Uint8Array {
  if (native.fromBase64) return native.fromBase64(text);
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
