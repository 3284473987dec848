declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** The id of a session. It is a secret: whoever knows it can read and send in the client's place. */
export type SessionId = Brand<string, "SessionId">;

/** Each stands for 6 bits, as in base64url. */
export const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** An id that nobody can guess: 6 random bits a letter. With 20 letters it is as long as Socket.IO's ids on Node. */
export function randomId(length = 20): string {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(length))) id += LETTERS[byte & 63];
  return id;
}

export function toBase64Url(bytes: Iterable<number>): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
