/** The longest close reason, bytes. */
const MOST_BYTES = 123;

/** Answers the close of a WebSocket. Without an answer the peer sees 1006. */
export function answerClose(socket: WebSocket, code: number, reason: string): void {
  // 1005 means that there was no code, 1006 and 1015 that the peer is gone. None of them may be sent.
  if (code === 1006 || code === 1015 || socket.readyState === WebSocket.CLOSED) return;
  try {
    if (code === 1005) socket.close();
    else socket.close(code, truncate(reason));
  } catch {
    // The peer is gone already.
  }
}

function truncate(reason: string): string {
  let text = reason.slice(0, MOST_BYTES);
  while (new TextEncoder().encode(text).byteLength > MOST_BYTES) text = text.slice(0, -1);
  return text;
}
