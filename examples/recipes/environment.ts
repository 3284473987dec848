import { env } from "cloudflare:workers";
import { defineServer } from "socket.io-edge";

// Variables and secrets can be read anywhere, also at the top of a module. For bindings that do something (a database,
// another object, `emitter(env)`) there has to be a request or an event.
const greeting = process.env.GREETING ?? "hello";

const server = defineServer({}, (io) => {
  io.on("connection", (socket) => {
    socket.on("greet", (name: string, answer: (text: string) => void) => answer(`${greeting}, ${name}`));
    socket.on("is secret", (text: string, answer: (isIt: boolean) => void) => answer(text === env.SECRET));
  });
});

export class SessionObject extends server.SessionObject {}

export default server.app;
