/**
 * Resolves the arguments of `io()` and `Manager`: a URL, `host:port`, `//host`, a namespace or nothing, then options.
 * Nothing is the origin of the page, wherever on it the page is.
 */
export function parseTarget<Options extends object>(
  address: string | Options = "",
  options?: Options,
): [URL, Options & { query: string }] {
  if (typeof address === "object") return parseTarget("", address);
  const url = new URL(
    /^$|^\/|:\/\//.test(address) ? address || "/" : `//${address}`,
    globalThis.location?.href ?? "https://localhost",
  );
  return [url, { query: url.search, ...(options as Options) }];
}
