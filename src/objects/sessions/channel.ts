import { CHANNEL_CLOSE_MS, CLIENT_GONE, MAX_REOPENS, PING_DUE, REOPEN_WITHIN_MS } from "../constants.ts";
import { PING_IN_HEADER } from "../internal-request.ts";

/*
 * A waiting poll: the Worker holds the client's GET and is connected to the object by a WebSocket, so nothing is
 * pending in the object. Only the object decides about the answer.
 *
 *   Worker                                  object
 *   GET ── fetch, Upgrade ────────────────► nothing to say: 101, `sio-ping-in`
 *                                           (sleeps)
 *   200 payload ◄───────── frame, close(1000) ── packets
 *   ── ping due: close(4001) ─────────────► the poll is over, the client is pinged
 *   200 "2"     ◄──────────── close reply ──     (a payload that was under way comes first, and is the answer)
 *   client went away: close(4000) ────────► the session ends with `transport error`
 *   1006: the object restarted ── fetch again, after 0 to 1 s, 5 times at most
 */

/** The object's end: opens a channel that survives hibernation. */
export function openChannel(
  ctx: DurableObjectState,
  tag: string,
  attachment: unknown,
  pingInMs: number,
  own?: Headers,
): { socket: WebSocket; response: Response } {
  const { 0: client, 1: socket } = new WebSocketPair();
  ctx.acceptWebSocket(socket, [tag]);
  socket.serializeAttachment(attachment);
  const pingIn = String(Math.ceil(pingInMs));
  own?.set(PING_IN_HEADER, pingIn);
  const headers = own ?? { [PING_IN_HEADER]: pingIn };
  return { socket, response: new Response(null, { status: 101, webSocket: client, headers }) };
}

/** The object's end: answers the poll, and closes the channel. */
export function answerChannel(socket: WebSocket, payload: string | Uint8Array): void {
  // Without an attachment, the close event that follows belongs to no session.
  socket.serializeAttachment(null);
  socket.send(payload);
  socket.close(1000);
}

/** The object's end: why the Worker closed the channel. */
export function toCause(code: number): "pinged" | "aborted" | "lost" {
  if (code === PING_DUE) return "pinged";
  return code === CLIENT_GONE ? "aborted" : "lost";
}

/** How a poll ended: with a payload for the client, or with a response that the object gave at once. */
export type PollOutcome =
  | { readonly type: "payload"; readonly payload: string | ArrayBuffer; readonly headers: Headers }
  | { readonly type: "response"; readonly response: Response };

/**
 * The Worker's end: asks the object, and waits for the answer.
 * @throws what `ask` throws when the object cannot be reached at all
 */
export async function waitForPayload(
  ask: () => Promise<Response>,
  signal: AbortSignal,
): Promise<PollOutcome> {
  for (let reopens = 0; ; reopens++) {
    const response = await ask();
    const { webSocket } = response;
    if (webSocket === null || webSocket === undefined) return { type: "response", response };
    const payload = await hold(webSocket, Number(response.headers.get(PING_IN_HEADER)), signal);
    if (payload !== undefined) return { type: "payload", payload, headers: response.headers };
    if (reopens === MAX_REOPENS || signal.aborted) {
      return { type: "response", response: new Response(null, { status: 503 }) };
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * REOPEN_WITHIN_MS));
  }
}

/** Holds a channel until it ends. Returns undefined when it breaks. */
function hold(
  socket: WebSocket,
  pingInMs: number,
  signal: AbortSignal,
): Promise<string | ArrayBuffer | undefined> {
  return new Promise((resolve) => {
    let isPinged = false;
    let isOver = false;
    let closeTimer: ReturnType<typeof setTimeout> | undefined;
    const close = (code: number) => {
      try {
        socket.close(code);
      } catch {
        // The object closed it first: its frame or close event is on the way.
      }
    };
    const ping = () => {
      isPinged = true;
      close(PING_DUE);
      closeTimer = setTimeout(() => finish(undefined), CHANNEL_CLOSE_MS);
    };
    const abort = () => {
      close(CLIENT_GONE);
      finish(undefined);
    };
    const pingTimer = setTimeout(ping, pingInMs);
    const finish = (payload: string | ArrayBuffer | undefined) => {
      // A close event follows the frame that ends a poll.
      if (isOver) return;
      isOver = true;
      clearTimeout(pingTimer);
      if (closeTimer !== undefined) clearTimeout(closeTimer);
      signal.removeEventListener("abort", abort);
      resolve(payload);
    };
    socket.addEventListener("message", (event) => {
      finish(event.data as string | ArrayBuffer);
      close(1000);
    });
    socket.addEventListener("close", (event) => finish(isPinged && event.code !== 1006 ? "2" : undefined));
    socket.addEventListener("error", () => finish(undefined));
    signal.addEventListener("abort", abort);
    // Payloads of Engine.IO v3 may be binary; without this they would be Blobs.
    socket.binaryType = "arraybuffer";
    socket.accept();
    if (signal.aborted) abort();
  });
}
