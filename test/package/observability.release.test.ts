import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type StartOptions, startServer, type TestServer } from "../../src/testing/index.ts";
import { root } from "./pack.ts";

describe("the recipes of docs/observability.md", () => {
  let server: TestServer | undefined;
  afterEach(() => server?.stop());

  const start = async (options: StartOptions) => {
    server = await startServer(options);
    return server;
  };
  const worker = (name: string) => join(root, "examples/observability", name);

  it("log what happens, one object for each event", async () => {
    const it = await start({ worker: worker("workers-logs.ts") });
    const client = await it.client({ transports: ["websocket"] });
    await it.nap();
    client.disconnect();
    const types = () =>
      it.logs.flatMap(({ message }) => /type: '(connect|wake|disconnect)'/.exec(message)?.[1] ?? []);
    await expect.poll(types, { timeout: 10_000 }).toEqual(["connect", "wake", "disconnect"]);
  });

  it("write data points for Workers Analytics Engine", async () => {
    const it = await start({ worker: join(root, "test/fixtures/analytics-engine.ts") });
    const client = await it.client({ transports: ["websocket"] });
    client.disconnect();
    const points = () =>
      it.logs.flatMap(({ message }) => {
        const [, point] = /^POINT (.*)$/.exec(message) ?? [];
        return point === undefined ? [] : [JSON.parse(point) as { blobs: string[] }];
      });
    await expect.poll(() => points().map(({ blobs }) => blobs[0])).toEqual(["connect", "disconnect"]);
    expect(points()[1]).toEqual({
      indexes: ["main"],
      blobs: ["disconnect", "CLIENT_CLOSED", "websocket", "object", "0"],
      doubles: [expect.any(Number), 0],
    });
  });

  it("write data points to the binding that their configuration names", async () => {
    const it = await start({ config: worker("wrangler.toml") });
    const client = await it.client({ transports: ["websocket"] });
    client.emit("message", "hello");
    await once(client as never, "message", { signal: AbortSignal.timeout(10_000) });
    expect(it.logs.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("send log records to a collector over OTLP/HTTP", async () => {
    const received: { url: string | undefined; key: string | undefined; body: string }[] = [];
    const collector = createServer(async (request: IncomingMessage, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      received.push({ url: request.url, key: request.headers.authorization, body });
      response.end("{}");
    });
    await once(collector.listen(0, "127.0.0.1"), "listening");
    const { port } = collector.address() as AddressInfo;
    try {
      const vars = { OTLP_URL: `http://127.0.0.1:${port}`, OTLP_KEY: "key" };
      const it = await start({ worker: worker("opentelemetry.ts"), vars });
      await it.client({ transports: ["websocket"] });
      await expect.poll(() => received, { timeout: 10_000 }).toHaveLength(1);
      const [{ url, key, body } = { url: "", key: "", body: "{}" }] = received;
      expect([url, key]).toEqual(["/v1/logs", "Bearer key"]);
      const [{ timeUnixNano, ...record }] = JSON.parse(body).resourceLogs[0].scopeLogs[0].logRecords;
      expect(timeUnixNano).toMatch(/^\d{19}$/);
      expect(record).toEqual({
        severityNumber: 9,
        severityText: "info",
        body: { stringValue: "connect" },
        attributes: [
          { key: "socketio.transport", value: { stringValue: "websocket" } },
          { key: "socketio.protocol", value: { doubleValue: 4 } },
          { key: "socketio.where", value: { stringValue: "object" } },
          { key: "socketio.name", value: { stringValue: "main" } },
          { key: "socketio.shard", value: { stringValue: "0" } },
        ],
      });
    } finally {
      collector.close();
    }
  });
});
