import type { RequestRecord } from "../engine/request.ts";
import {
  type InternalRequest,
  PING_IN_HEADER,
  toInternalRequest,
  WANTED_HEADER,
} from "../objects/internal-request.ts";
import { ENCODED } from "../transports/polling.ts";

/** What the Worker asks, before a record of the client's request is added. */
export type Asked = Omit<InternalRequest, "request">;

/**
 * Requests of sessions that exist. Only listeners of `headers` and `connection_error` look at the client's own request,
 * its method, URL and headers, and few objects have any. To write all of it down for each poll would cost more than
 * anything else that the Worker does for it, so an object asks for it where somebody listens:
 *
 *   Worker ── none of it, but a poll's user agent ──► object ── answer, `sio-wanted` ──────► Worker
 *          ── "show", all of it ────────────────────► listeners run ── what they add ──────► answer for the client
 *
 * From then on this Worker sends all of it at once.
 */
export class SessionRequests {
  #isWanted = false;

  /** Asks an object, and shows it the client's request if need be. `body` is that of a POST. */
  async ask(
    object: DurableObjectStub,
    asked: Asked,
    request: Request,
    body?: BodyInit | null,
  ): Promise<Response> {
    const meta: InternalRequest = this.#isWanted
      ? { ...asked, request: toRecord(request) }
      : { ...asked, request: toBriefRecord(asked, request), isBrief: true };
    const type = asked.op === "post" ? request.headers.get("content-type") : null;
    const response = await object.fetch(...toInternalRequest(meta, body, type));
    const wanted = response.headers.get(WANTED_HEADER);
    if (wanted === null) return response;
    this.#isWanted = true;
    return merge(response, await show(object, { ...asked, op: "show", request: toRecord(request), wanted }));
  }

  /**
   * The headers that listeners gave an answer, for the client; undefined when there are none. Only listeners that are
   * shown requests can give any, and to look for headers takes longer than to know that.
   */
  ownHeaders(headers: Headers): Headers | undefined {
    return this.#isWanted ? toOwnHeaders(headers) : undefined;
  }
}

/** The headers of an object's response that are not between the Worker and the object alone. */
function toOwnHeaders(headers: Headers): Headers | undefined {
  let own: Headers | undefined;
  for (const [name, value] of headers) {
    if (name === PING_IN_HEADER || name === "upgrade" || name === "connection") continue;
    own ??= new Headers();
    own.append(name, value);
  }
  return own;
}

/** A client's request as plain data. */
export function toRecord({ method, url, headers }: Request): RequestRecord {
  return { method, url, headers: [...headers] };
}

/** What an answer depends on: how many packets the client takes in a payload. */
function toBriefRecord({ op }: Asked, { headers }: Request): RequestRecord {
  const agent = op === "poll" ? headers.get("user-agent") : null;
  return { method: "", url: "", headers: agent === null ? [] : [["user-agent", agent]] };
}

/** What listeners add to the answer. When they cannot be asked, the answer goes out as it is. */
async function show(object: DurableObjectStub, meta: InternalRequest): Promise<Headers> {
  try {
    return (await object.fetch(...toInternalRequest(meta))).headers;
  } catch (error) {
    console.error("socket.io-edge: an object that listens to requests could not be shown one", error);
    return new Headers();
  }
}

function merge(response: Response, added: Headers): Response {
  const { status, webSocket } = response;
  const headers = new Headers(response.headers);
  headers.delete(WANTED_HEADER);
  for (const [name, value] of added) if (!response.headers.has(name)) headers.append(name, value);
  return new Response(response.body, { ...ENCODED, status, headers, webSocket });
}
