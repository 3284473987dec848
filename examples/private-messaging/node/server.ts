import { createServer } from "node:http";
import { Server } from "socket.io";
import { requireSecret } from "../token.ts";
import { type Messenger, privateMessaging } from "./app.ts";

const http = createServer();

const io: Messenger = new Server(http, { cors: { origin: "https://messenger.example" } });

privateMessaging(io, requireSecret(process.env.SECRET));

http.listen(3000, () => console.log("http://localhost:3000"));
