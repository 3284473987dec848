import { defineServer, type ObservedEvent } from "socket.io-edge";

/** One data point for each event. A dataset is sampled by its index: here, by server. */
function observe(event: ObservedEvent, env: Cloudflare.Env): void {
  // A volatile broadcast may be dropped for thousands of clients at once, and a call may write 250 data points.
  if (event.type === "drop") return;
  const code = "code" in event ? event.code : "";
  const transport = "transport" in event ? event.transport : "";
  const openMs = event.type === "disconnect" ? event.openMs : 0;
  const awayMs = event.type === "wake" ? (event.awayMs ?? 0) : 0;
  env.EVENTS.writeDataPoint({
    indexes: [(event.name ?? "").slice(0, 96)],
    blobs: [event.type, code, transport, event.where, event.shard ?? ""],
    doubles: [openMs, awayMs],
  });
}

const server = defineServer({ observe }, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
