import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Address } from "./http.ts";

/**
 * A proxy that forwards HTTP and holds WebSockets until a test releases them, which decides when an upgrade happens.
 */
export interface Gate extends Address {
  readonly url: string;
  /** Forwards waiting WebSockets, and every later one. */
  open(): void;
  /**
   * Cuts every connection with a TCP reset, except those that wait for the answer to a WebSocket handshake, because
   * workerd keeps any object in memory for ever whose socket was cut at that moment.
   */
  cut(): void;
  /** Resolves when a WebSocket waits. */
  readonly knocked: Promise<void>;
  close(): Promise<void>;
}

export async function startGate(to: Address): Promise<Gate> {
  const sockets = new Set<Socket>();
  const shaking = new Set<Socket>();
  let isOpen = false;
  let waiting: (() => void)[] = [];
  let knock: () => void = () => {};
  const knocked = new Promise<void>((resolve) => (knock = resolve));

  const server = createServer((client) => {
    sockets.add(client);
    client.on("error", () => client.destroy()).on("close", () => sockets.delete(client));
    client.once("data", (first) => {
      client.pause();
      const isUpgrade = /\r\nupgrade: *websocket/i.test(first.toString("latin1"));
      const pass = () => {
        const upstream = connect(to.port, to.host);
        sockets.add(upstream);
        upstream.on("error", () => client.destroy()).on("close", () => sockets.delete(upstream));
        client.on("close", () => upstream.resetAndDestroy());
        if (isUpgrade) {
          shaking.add(client).add(upstream);
          upstream.once("data", () => shaking.delete(client) && shaking.delete(upstream));
        }
        upstream.setNoDelay(true);
        client.setNoDelay(true);
        upstream.write(first);
        client.pipe(upstream).pipe(client);
      };
      if (isOpen || !isUpgrade) return pass();
      waiting.push(pass);
      knock();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    host: "127.0.0.1",
    port,
    knocked,
    open() {
      isOpen = true;
      for (const pass of waiting) pass();
      waiting = [];
    },
    cut() {
      for (const socket of sockets) if (!shaking.has(socket)) socket.resetAndDestroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
