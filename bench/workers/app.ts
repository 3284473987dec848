import type { Server } from "../../src/index.ts";

/** The application that the benchmarks use, written once for Socket.IO on Node and for this project. */
export function setup(io: Server): void {
  io.on("connection", (socket) => {
    socket.on("message", (text) => socket.emit("message", text));
    socket.on("all", (text) => io.emit("message", text));
    socket.on("room", (text) => io.to("room").emit("message", text));
    socket.on("ten", () => {
      for (let i = 0; i < 10; i++) socket.emit("message", i);
    });
    socket.on("join", (done) => {
      socket.join("room");
      done();
    });
  });
}
