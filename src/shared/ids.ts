declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Names a connection to its own client. A secret: whoever knows it can read and send in the client's place. */
export type SessionId = Brand<string, "SessionId">;

/**
 * Text that nobody guesses, base64url of so many random bytes. With 15 it is as long as ids of Socket.IO are on Node.
 */
export function randomId(bytes = 15): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(bytes)));
}

export function toBase64Url(bytes: Iterable<number>): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
