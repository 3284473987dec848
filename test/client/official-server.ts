import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type ServerOptions } from "socket.io";
import { type AppServer, interopApp } from "./interop-app.ts";

export interface TestServer {
  url: string;
  close(): Promise<void>;
}

export interface OfficialServer extends TestServer {
  io: Server;
  port: number;
}

/** Socket.IO on Node, with the application of the interop suite, on a free port of the loopback. */
export async function startOfficialServer(
  options: Partial<ServerOptions> = {},
  app: (io: Server) => void = (io) => interopApp(io as unknown as AppServer),
  port = 0,
): Promise<OfficialServer> {
  const http = createServer();
  const io = new Server(http, { serveClient: false, ...options });
  app(io);
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  const address = http.address() as AddressInfo;
  return {
    io,
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      http.closeAllConnections();
      await io.close();
    },
  };
}
