import { EventEmitter as NodeEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { EventEmitter } from "../../src/shared/event-emitter.ts";

type Emitter = Pick<
  NodeEmitter,
  | "on"
  | "once"
  | "off"
  | "emit"
  | "prependListener"
  | "prependOnceListener"
  | "removeAllListeners"
  | "listeners"
  | "listenerCount"
  | "eventNames"
>;

/** What one scripted use of an emitter shows to the outside. */
function traceOf(emitter: Emitter): unknown[] {
  const trace: unknown[] = [];
  const note = (name: string) => {
    const listener = (...args: unknown[]) => {
      trace.push([name, ...args]);
    };
    return listener;
  };
  const a = note("a");
  const b = note("b");
  emitter.on("newListener", (event) => trace.push(["new", event]));
  emitter.on("removeListener", (event) => trace.push(["removed", event]));
  emitter.on("x", a).on("x", b).prependListener("x", note("first"));
  emitter.once("x", note("once")).prependOnceListener("x", note("first once"));
  trace.push(emitter.emit("x", 1, 2), emitter.emit("x", 3), emitter.emit("nobody"));
  emitter.once("y", b);
  trace.push(emitter.listeners("y")[0] === b, emitter.listenerCount("y"), emitter.listenerCount("x"));
  emitter.off("y", b).off("y", b);
  emitter.on("x", a).off("x", a);
  emitter.emit("x", 4);
  emitter.on("grow", () => emitter.on("grow", note("late")));
  emitter.emit("grow");
  emitter.once("self", () => emitter.emit("self"));
  emitter.emit("self");
  trace.push(emitter.eventNames());
  for (const event of ["removeListener", "newListener"]) emitter.removeAllListeners(event);
  emitter.removeAllListeners("x");
  trace.push(emitter.listenerCount("x"), emitter.eventNames());
  return trace;
}

describe("the event emitter", () => {
  it("behaves like Node's own in a script that uses every method", () => {
    expect(traceOf(new EventEmitter() as unknown as Emitter)).toEqual(traceOf(new NodeEmitter()));
  });

  it("throws what a listener throws, and does not call the listeners after it", () => {
    const emitter = new EventEmitter();
    const ran: string[] = [];
    emitter.on("x", () => {
      throw new Error("first");
    });
    emitter.on("x", () => void ran.push("second"));
    expect(() => emitter.emit("x")).toThrow("first");
    expect(ran).toEqual([]);
  });

  it("adds no own keys to an object", () => {
    const emitter = new EventEmitter().on("x", () => {});
    expect(Object.keys(emitter)).toEqual([]);
  });

  it("tells whether an event is heard, also where a proxy is its prototype", () => {
    class Guarded extends EventEmitter {}
    Object.setPrototypeOf(Guarded.prototype, new Proxy(EventEmitter.prototype, {}));
    const emitter = new Guarded();
    emitter.on("x", () => {});
    emitter.on("5", () => {});
    expect(["x", "y", 5].map((event) => EventEmitter.isHeard(emitter, event as string))).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("dispatches to every listener, whatever they throw, and returns their promises", async () => {
    const emitter = new EventEmitter();
    const errors: unknown[] = [];
    const ran: unknown[] = [];
    emitter.on("x", () => {
      throw new Error("sync");
    });
    emitter.on("x", async () => Promise.reject(new Error("async")));
    emitter.on("x", (...args) => void ran.push(args));
    const promises = EventEmitter.dispatch(emitter, ["x", 1, 2], (error) => errors.push(error));
    await Promise.all(promises ?? []);
    expect(ran).toEqual([[1, 2]]);
    expect(errors).toEqual([new Error("sync"), new Error("async")]);
  });

  it("finds listeners of an event whose name arrives as a number", () => {
    const emitter = new EventEmitter();
    const ran: unknown[] = [];
    emitter.on("5", (value) => void ran.push(value));
    EventEmitter.dispatch(emitter, [5, "five"], () => {});
    expect(ran).toEqual(["five"]);
  });
});
