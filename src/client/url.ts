/** Resolves what `io()` and `Manager` take as an address: a URL, `host:port`, `//host`, a namespace, or nothing. */
export function toUrl(address: string | URL = ""): URL {
  const text = `${address}`;
  const base = globalThis.location?.href ?? "https://localhost";
  return new URL(!text || /^\/|:\/\//.test(text) ? text : `//${text}`, base);
}
