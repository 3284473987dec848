import { expect, expectTypeOf, it } from "vitest";
import { io, Manager, type Socket } from "../../src/client/index.ts";

interface ServerEvents {
  line: (from: string, text: string) => void;
  question: (value: number, answer: (result: string) => void) => void;
}

interface ClientEvents {
  say: (text: string) => void;
  rename: (name: string, answer: (isTaken: boolean) => void) => void;
}

it("accepts the generic parameters of socket.io-client", () => {
  const socket: Socket<ServerEvents, ClientEvents> = io({ autoConnect: false });
  socket.on("line", (from, text) => expectTypeOf([from, text]).toEqualTypeOf<string[]>());
  socket.on("question", (_value, answer) => expectTypeOf(answer).toEqualTypeOf<(result: string) => void>());
  socket.on("connect_error", ({ data }) => expectTypeOf(data).toBeAny());
  expectTypeOf(socket.emit<"say">).parameters.toEqualTypeOf<["say", string]>();
  expectTypeOf(socket.emitWithAck<"rename">).returns.toEqualTypeOf<Promise<boolean>>();
  const timed = socket.timeout(1);
  expectTypeOf(timed.emit<"rename">).parameters.toEqualTypeOf<
    ["rename", string, (err: Error, isTaken: boolean) => void]
  >();
  expect(socket.connected).toBe(false);
});

it("accepts any event on a socket without declared events", () => {
  const socket = new Manager("http://localhost:1", { autoConnect: false }).socket("/chat");
  expectTypeOf(socket.emit<"whatever">).parameters.toEqualTypeOf<
    ["whatever", ...ReturnType<JSON["parse"]>[]]
  >();
  expect(socket.nsp).toBe("/chat");
});
