import { defineServer } from "socket.io-edge";
import { requireSecret } from "../token.ts";
import { type Messenger, privateMessaging } from "./app.ts";

const server = defineServer({ cors: { origin: "https://messenger.example" } }, (io: Messenger, { env }) => {
  privateMessaging(io, requireSecret(env.SECRET));
});

export class SessionObject extends server.SessionObject {}

export default server.app;
