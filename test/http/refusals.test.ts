import { expect, it } from "vitest";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";

const worker = `
import { defineServer } from "../../src/index.ts";
const server = defineServer({
  onConnectionError: async ({ code }) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.error("told of", code);
  },
}, () => {});
export class SessionObject extends server.SessionObject {}
export default server.app;
`;

it("the Worker waits for a promise of onConnectionError after the client has its answer", async () => {
  const server = await startWorker(await bundle(worker));
  try {
    expect((await http(server, "/socket.io/?EIO=4&transport=tobi")).status).toBe(400);
    await expect.poll(() => server.complaints, { timeout: 5_000 }).toEqual(["error: told of 0"]);
  } finally {
    await server.close();
  }
});
