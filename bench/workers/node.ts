import { createServer } from "node:http";
import { Server } from "socket.io";
import { setup } from "./app.ts";

/** Socket.IO on Node, reported beside: `node bench/workers/node.ts <port>`. */
const httpServer = createServer();
setup(new Server(httpServer, { perMessageDeflate: false }) as unknown as Parameters<typeof setup>[0]);
httpServer.listen(Number(process.argv[2]), "127.0.0.1");
