import { createServer } from "node:http";
import { Server } from "socket.io";
import { expect, it } from "vitest";
import { ACCEPTED_ON_NODE } from "./option-values.ts";

it.each(ACCEPTED_ON_NODE)("the official server accepts %s: %o", (name, value) => {
  // Without a port nothing listens, so there is nothing to close.
  expect(() => new Server(createServer(), { [name]: value })).not.toThrow();
});
