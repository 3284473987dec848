import type { EngineError } from "../engine/errors.ts";
import { ENCODED } from "./polling.ts";

/**
 * The response to a request that is refused: the error's number and text as JSON, or only the text for the request of a
 * WebSocket (browsers show neither).
 */
export function toErrorResponse(error: EngineError, isUpgrade: boolean): Response {
  if (isUpgrade) {
    const headers = { "content-type": "text/html" };
    return new Response(error.publicMessage, { ...ENCODED, status: error.status, headers });
  }
  const body = { code: error.code, message: error.publicMessage };
  return Response.json(body, { ...ENCODED, status: error.status });
}
