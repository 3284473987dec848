import { startServer } from "socket.io-edge/testing";
import { afterAll, expect, it } from "vitest";

const server = await startServer();
afterAll(() => server.stop());

it("delivers a message to everybody after the object has slept", async () => {
  const [ann, bob] = [await server.client(), await server.client()];
  const heard = new Promise((resolve) => bob.once("message", resolve));
  await server.nap();
  ann.emit("message", "hello");
  expect(await heard).toBe("hello");
}, 30_000);
