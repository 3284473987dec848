import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { type ConnectOptions, io, type Socket } from "../../src/client/index.ts";
import { once } from "./interop-suite.ts";
import { network, type Peer, ScriptedServer } from "./scripted-server.ts";

export const POLLING: ConnectOptions = { transports: ["polling"] };
export const WEBSOCKET: ConnectOptions = { transports: ["websocket"] };

/** A new server for each test. Its clients are closed with it, so that they cannot reach the next one. */
export let server: ScriptedServer;
const sockets: Socket[] = [];

/** Gives the tests of a file a network whose servers behave as the tests say. */
export function useScriptedServer(): void {
  beforeAll(network.listen);
  afterAll(network.close);
  beforeEach(() => {
    server = new ScriptedServer();
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.disconnect();
  });
}

export function connect(options: ConnectOptions = POLLING): Socket {
  const socket = io(server.url, { forceNew: true, reconnectionDelay: 5, randomizationFactor: 0, ...options });
  sockets.push(socket);
  return socket;
}

export async function connected(options?: ConnectOptions): Promise<Socket> {
  const socket = connect(options);
  await once(socket, "connect");
  return socket;
}

/** A WebSocket server that opens a session and accepts the namespace. */
export function welcoming(peer: Peer): void {
  if (!peer.url.searchParams.has("sid")) peer.send(`0${JSON.stringify(server.handshake)}`);
  peer.onMessage = (data) => {
    if (data.startsWith("40")) peer.send('40{"sid":"socket-id"}');
  };
}
