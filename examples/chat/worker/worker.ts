import { defineServer } from "socket.io-edge";
import { clientFiles } from "socket.io-edge/client-files";
import { chat } from "./app.ts";

const server = defineServer({ serveClient: clientFiles }, chat);

export class SessionObject extends server.SessionObject {}

export default server.app;
