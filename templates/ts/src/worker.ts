import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";

// `serveClient` serves the official client to the page as /socket.io/socket.io.js.
const chat = defineServer({ serveClient: clientFiles }, (io) => {
  io.on("connection", (socket) => {
    socket.on("message", (text) => io.emit("message", text));
  });
});

export class SessionObject extends chat.SessionObject {}
export default chat.app;
