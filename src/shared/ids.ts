declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Names a connection to its own client. A secret: whoever knows it can read and send in the client's place. */
export type SessionId = Brand<string, "SessionId">;

/** The characters of `base64url`; 64 of them, so a byte's low six bits choose one without bias. */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** 20 random characters (120 bits), the length that ids of Socket.IO have on Node. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  let id = "";
  for (const byte of bytes) id += ALPHABET[byte & 63];
  return id;
}
