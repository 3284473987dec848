import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/** The application over so many objects, with the clients spread over them as they come, and every call counted. */
export function spread(shards: number) {
  let next = 0;
  const server = defineServer({ shards, shardBy: () => String(next++) }, (io) => {
    setup(io);
    io.on("connection", (socket) => {
      socket.on("burst", (count) => {
        for (let i = 0; i < count; i++) io.emit("message", "burst");
      });
      socket.on("elsewhere", async () => {
        const others = await io.fetchSockets();
        const { id } = others.find((other) => !("client" in other)) ?? socket;
        io.to(id).emit("message", "found");
        socket.emit("message", "done");
      });
    });
  });
  return { SessionObject: counted(server.SessionObject), app: withCounts(server.app) };
}
