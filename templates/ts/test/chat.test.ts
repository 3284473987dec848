import { startServer } from "socket.io-edge/testing";
import { afterAll, expect, it } from "vitest";

const server = await startServer();
afterAll(() => server.stop());

it("brings what one person says to everybody, though the object slept before", async () => {
  const [ann, bob] = [await server.client(), await server.client()];
  const heard = new Promise((resolve) => bob.once("message", resolve));
  await server.nap();
  ann.emit("message", "hello");
  expect(await heard).toBe("hello");
}, 30_000);
