import { type OpenTransport, type OutgoingFrame, type Transport, transportError } from "./transport.ts";

/** A WebSocket of the platform: one frame a packet. */
export const openWebSocket: OpenTransport = (options, host) => {
  const socket = connect(host.url_(), options.protocols, options.extraHeaders);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    transport.writable = true;
    host.onOpen_();
  };
  socket.onmessage = (event) => host.onFrame_(event.data);
  socket.onerror = (event) => host.onEnd_("transport error", transportError("websocket error", event));
  socket.onclose = (context) =>
    host.onEnd_("transport close", { description: "websocket connection closed", context });

  const transport: Transport = {
    name: "websocket",
    writable: false,
    send_(frames) {
      for (const frame of frames) socket.send(frame as Exclude<OutgoingFrame, Uint8Array>);
      transport.writable = true;
      host.onDrain_();
    },
    close_: () => socket.close(),
  };
  return transport;
};

/** Node, Deno and Bun take headers in the place of the subprotocols; a browser throws at them. */
function connect(url: string, protocols?: string | string[], headers?: Record<string, string>): WebSocket {
  try {
    if (headers) return new WebSocket(url, { protocols, headers } as unknown as string[]);
  } catch {
    // No place for headers here: connect without them, as documented.
  }
  return new WebSocket(url, protocols);
}
