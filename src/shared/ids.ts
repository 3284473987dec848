declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** The id of a session. It is a secret: whoever knows it can read and send in the client's place. */
export type SessionId = Brand<string, "SessionId">;

/**
 * Creates text that nobody can guess: base64url of random bytes. With 15 bytes it is as long as ids of Socket.IO on
 * Node.
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
