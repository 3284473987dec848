import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";

/** The app itself is the Worker's default export, with a middleware and a route that its user has added. */
const worker = (options: string) => `
import { defineServer } from "../../src/index.ts";

const server = defineServer(${options}, () => {});
export class SessionObject extends server.SessionObject {}

server.app.use(async (c, next) => {
  await next();
  c.res.headers.set("x-middleware", "1");
});
server.app.get("/page", (c) => c.text("the page"));
export default server.app;
`;

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

// With such a function requests take the way through Hono, and have to be answered in the same way.
describe.each(["", "allowRequest: (_request, _env, c) => c.req.path === '/socket.io/',"])(
  "the app as default export (%s)",
  (allowRequest) => {
    let server: Running;
    beforeAll(async () => {
      const cors = String.raw`cors: ({ headers }, give) => give(null, { origin: headers.has("x-bad") && "a\nb" }),`;
      server = await startWorker(await bundle(worker(`{ ${cors} ${allowRequest} }`)));
    });
    afterAll(() => server?.close());

    it("serves its own requests first, and leaves all others to what was added", async () => {
      const own = await http(server, HANDSHAKE);
      expect(own).toMatchObject({ status: 200, body: expect.stringMatching(/^0\{"sid":/) });
      expect(own.headers["x-middleware"]).toBeUndefined();
      const page = await http(server, "/page");
      expect(page).toMatchObject({ status: 200, body: "the page", headers: { "x-middleware": "1" } });
      expect(await http(server, "/socket.iox")).toMatchObject({ status: 404 });
    });

    it("answers HEAD without a body", async () => {
      expect(await http(server, HANDSHAKE, { method: "HEAD" })).toMatchObject({ status: 400, body: "" });
    });

    it("says no more than 500 when the options give a header that cannot be sent", async () => {
      const reply = await http(server, HANDSHAKE, { headers: { "x-bad": "1" } });
      expect(reply).toMatchObject({ status: 500, body: "Internal Server Error" });
    });
  },
);
