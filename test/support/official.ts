import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import { type App, appUrl, optionsFor, type Running } from "./app.ts";

/** Runs an application on Socket.IO for Node, which decides what is right. */
export async function startOfficial(name: string, variant = "default"): Promise<Running> {
  const app = (await import(appUrl(name).href)) as App;
  const httpServer = createServer((_request, response) => response.writeHead(404).end());
  const io = new Server(httpServer, optionsFor(app, variant, "official"));
  await app.setup(io);
  await new Promise<void>((resolve) => httpServer.listen(0, "127.0.0.1", resolve));
  const { port } = httpServer.address() as AddressInfo;
  return {
    target: "official",
    url: `http://127.0.0.1:${port}`,
    host: "127.0.0.1",
    port,
    complaints: [],
    evict: async () => {},
    close: async () => {
      const closed = io.close();
      httpServer.closeAllConnections();
      await closed;
    },
  };
}
