import { EngineError } from "../engine/errors.ts";
import type { EngineRequest } from "../engine/request.ts";
import type { TransportName } from "../engine/state.ts";
import { askApplication } from "./handshake-data.ts";
import type { AppContext, AppOptions } from "./options.ts";

/** What a request asks for, as far as it can be checked without an object. */
export interface Verified {
  readonly transport: TransportName;
  /** Empty for a handshake. */
  readonly sid: string;
  readonly protocol: 3 | 4;
  readonly b64: boolean;
}

/**
 * Checks a request in the order of engine.io: its transport, its origin, then its session or handshake. A handshake is
 * checked further by {@link checkAllowed} and {@link checkProtocol}.
 * @throws EngineError
 */
export function verify(request: EngineRequest, isUpgrade: boolean, options: AppOptions): Verified {
  const { transport, sid = "", EIO, b64 } = request._query;
  if (isAmbiguous(request)) throw new EngineError("BAD_REQUEST", { name: "REPEATED_PARAMETER" });
  const transports: readonly string[] = options.transports;
  if (transport === undefined || !transports.includes(transport)) {
    throw new EngineError("TRANSPORT_UNKNOWN", { transport });
  }
  const origin = request.headers.get("origin");
  if (origin !== null && hasInvalidChars(origin)) {
    throw new EngineError("BAD_REQUEST", { name: "INVALID_ORIGIN", origin });
  }
  const protocol = EIO === "4" ? 4 : 3;
  const verified: Verified = { transport: transport as TransportName, sid, protocol, b64: Boolean(b64) };
  if (sid !== "") return verified;
  if (request.method !== "GET") {
    throw new EngineError("BAD_HANDSHAKE_METHOD", { method: request.method });
  }
  if (transport === "websocket" && !isUpgrade) {
    throw new EngineError("BAD_REQUEST", { name: "TRANSPORT_HANDSHAKE_ERROR" });
  }
  return verified;
}

/** @throws EngineError for a client whose version is not served */
export function checkProtocol({ protocol }: Verified, { allowEIO3 }: AppOptions): void {
  if (protocol === 3 && !allowEIO3) throw new EngineError("UNSUPPORTED_PROTOCOL_VERSION", { protocol });
}

/** Asks the option `allowRequest`. @throws EngineError for a client that it does not let in */
export async function checkAllowed(
  request: EngineRequest,
  options: AppOptions,
  c: AppContext,
): Promise<void> {
  const allowed: unknown = await askApplication("allowRequest", () =>
    options.allowRequest?.(request, c.env, c),
  );
  if (allowed === true) return;
  if (typeof allowed === "string") throw new EngineError("FORBIDDEN", { message: allowed }, allowed);
  if (allowed !== false) {
    console.error(
      "socket.io-edge: allowRequest returned neither true, false nor a string; it takes (request, env) and no callback",
    );
  }
  throw new EngineError("FORBIDDEN", {});
}

/** A repeated parameter is refused: this server reads the last one as Node does, and a proxy may read the first. */
function isAmbiguous({ url, _query }: EngineRequest): boolean {
  if (url.split("&").length === Object.keys(_query).length) return false;
  const { searchParams } = new URL(url);
  return ["sid", "transport", "EIO"].some((name) => new Set(searchParams.getAll(name)).size > 1);
}

/** Control characters other than tab, and DEL. */
function hasInvalidChars(value: string): boolean {
  return /[^\t\x20-\x7e\x80-\uffff]/.test(value);
}
