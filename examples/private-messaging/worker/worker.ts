import { defineServer } from "socket.io-edge";
import { type Messenger, privateMessaging } from "./app.ts";

const server = defineServer({ cors: { origin: "https://messenger.example" } }, (io: Messenger, { env }) => {
  privateMessaging(io, env.SECRET ?? "only for your own machine");
});

export class SessionObject extends server.SessionObject {}

export default server.app;
