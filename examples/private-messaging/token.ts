/** The secret that signs. There is none to fall back on: it would be known to whoever has read this file. */
export function requireSecret(secret: string | undefined): string {
  if (secret) return secret;
  throw new Error(
    "SECRET is not set: `wrangler secret put SECRET` sets it, for `wrangler dev` a line SECRET=... in the file .dev.vars, on Node the environment",
  );
}

/**
 * Who somebody is, signed: `name.signature`, both base64url. Your login hands it out; Web Crypto is the same on Node
 * and on Workers.
 */
export async function signToken(name: string, secret: string): Promise<string> {
  const signature = await crypto.subtle.sign("HMAC", await keyFrom(secret), bytes(name));
  return `${toBase64Url(bytes(name))}.${toBase64Url(new Uint8Array(signature))}`;
}

/** The name in a token, or `undefined` if we did not sign it. */
export async function verifyToken(token: unknown, secret: string): Promise<string | undefined> {
  if (typeof token !== "string" || !/^[\w-]+\.[\w-]+$/.test(token)) return undefined;
  const [name, signature] = token.split(".").map(fromBase64Url) as [
    Uint8Array<ArrayBuffer>,
    Uint8Array<ArrayBuffer>,
  ];
  const genuine = await crypto.subtle.verify("HMAC", await keyFrom(secret), signature, name);
  return genuine ? new TextDecoder().decode(name) : undefined;
}

function keyFrom(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function toBase64Url(data: Uint8Array): string {
  return btoa(String.fromCharCode(...data))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}
