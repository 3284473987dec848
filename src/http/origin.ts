import { EngineError } from "../engine/errors.ts";
import type { EngineRequest } from "../engine/request.ts";
import { MOST_ORIGINS_TOLD } from "./constants.ts";
import type { CorsResult } from "./cors.ts";

/**
 * Refuses WebSockets that a page of a foreign origin opens. Browsers open one without a preflight, and send the cookies
 * of the server's host with it.
 */
export class OriginGuard {
  readonly #told = new Set<string>();

  /** @throws EngineError for an origin that `cors.origin` does not name and that is not the request's own */
  check({ headers, url }: EngineRequest, { isNamed }: CorsResult): void {
    const origin = headers.get("origin");
    if (isNamed !== false || origin === null || isOwn(origin, new URL(url))) return;
    this.#tell(origin);
    throw new EngineError("FORBIDDEN", { name: "FOREIGN_ORIGIN", origin });
  }

  #tell(origin: string): void {
    const name = JSON.stringify(origin.slice(0, 200));
    if (this.#told.has(name) || this.#told.size >= MOST_ORIGINS_TOLD) return;
    this.#told.add(name);
    console.warn(
      `socket.io-edge: a WebSocket of the origin ${name} was refused. To allow its pages, set ` +
        `cors: { origin: [..., ${name}] }; to allow the pages of every origin, set checkOrigin: false`,
    );
  }
}

/** Schemes are not compared: behind a proxy the server may not know that its pages were loaded over https. */
function isOwn(origin: string, own: URL): boolean {
  if (!/^https?:/i.test(origin) || !URL.canParse(origin)) return false;
  const { host, hostname } = new URL(origin);
  return host === own.host || (isLoopback(hostname) && isLoopback(own.hostname));
}

function isLoopback(hostname: string): boolean {
  return /^(.+\.)?localhost$|^127\.[\d.]+$|^\[::1\]$/.test(hostname);
}
