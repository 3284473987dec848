import { expect, it } from "vitest";
import { defineEngine, defineServer, Server } from "../../src/index.ts";
import type { Untyped } from "../../src/shared/untyped.ts";
import { TestObject } from "../objects/support.ts";

const withFiles = 'clientFiles of "socket.io-edge/client-files"';

it.each(["use", "attach", "handleRequest", "handleUpgrade"])(
  "io.engine.%s() throws an error that says what to write instead",
  async (name) => {
    await new TestObject("mistakes").run(({ engine }) => {
      expect(() => (engine as Untyped)[name](() => {})).toThrow("put Hono middlewares in front of it");
    });
  },
);

it.each<[string, () => unknown, string]>([
  ["new Server()", () => new (Server as Untyped)({}), "use defineServer(options, setup)"],
  ["no setup function", () => (defineServer as Untyped)({}), "needs a setup function"],
  ["the setup function alone", () => (defineServer as Untyped)(() => {}), "needs a setup function"],
  ["an engine without its setup function", () => (defineEngine as Untyped)({}), "needs a setup function"],
  ["serveClient: true", () => defineServer({ serveClient: true as never }, () => {}), withFiles],
])(
  "%s throws as soon as the Worker starts, and the error says what to write instead",
  (_what, call, cure) => {
    expect(call).toThrow(cure);
  },
);
