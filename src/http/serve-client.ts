import { ENCODED } from "../transports/polling.ts";

/** The files of the official browser client, for a Worker to serve: what `socket.io-edge/client-files` exports. */
export interface ClientFiles {
  /** The client's version; it is the ETag of every file. */
  readonly version: string;
  /** The text of each file by its name, for example `socket.io.js`. Leave out files that you do not serve. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * Answers a request for a file of the browser client. Returns undefined for any other name: the engine serves it then.
 * As on Node, the method and the query do not matter. Nothing is compressed here, since Cloudflare compresses
 * responses.
 * @see https://socket.io/docs/v4/server-options/#serveclient
 */
export function serveClientFile(request: Request, files: ClientFiles, name: string): Response | undefined {
  if (!Object.hasOwn(files.files, name)) return undefined;

  const headers = { "Cache-Control": "public, max-age=0", ETag: `"${files.version}"` };
  if (isFresh(request.headers.get("If-None-Match"), headers.ETag)) {
    return new Response(null, { status: 304, headers });
  }
  const type = name.endsWith(".map") ? "application/json" : "application/javascript";
  return new Response(files.files[name], {
    ...ENCODED,
    headers: { ...headers, "Content-Type": `${type}; charset=utf-8` },
  });
}

/** Weak comparison, which is what a conditional GET asks for (RFC 9110, 13.1.2). */
function isFresh(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
