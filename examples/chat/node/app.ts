import type { Server } from "socket.io";

/** The chat of the first hour with Socket.IO: what one says, all hear. */
export function chat(io: Server): void {
  io.on("connection", (socket) => {
    socket.on("chat message", (text) => {
      io.emit("chat message", text);
    });
  });
}
