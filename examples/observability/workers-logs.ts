import { defineServer, type ObservedEvent } from "socket.io-edge";

/** Errors are in the log already, and most packets that are dropped are volatile. */
const LEFT_OUT: ReadonlySet<string> = new Set(["error", "drop"]);

/** One line of JSON for each event: Workers Logs makes its fields searchable. */
function observe(event: ObservedEvent): void {
  if (!LEFT_OUT.has(event.type)) console.log({ socket: event });
}

const server = defineServer({ observe }, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
