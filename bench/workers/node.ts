import { createServer } from "node:http";
import { Server } from "socket.io";
import { setup } from "./app.ts";

/** Socket.IO on Node, which is reported for comparison: `node bench/workers/node.ts <port> [compress]`. */
const [, , port, compress] = process.argv;
const httpServer = createServer();
// As on a server that compresses whatever it sends; by default the official server does not compress at all.
const perMessageDeflate = compress === "compress" ? { threshold: 0 } : false;
setup(new Server(httpServer, { perMessageDeflate }) as unknown as Parameters<typeof setup>[0]);
httpServer.listen(Number(port), "127.0.0.1");
