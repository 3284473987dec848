import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { connect, connected, POLLING, server, useScriptedServer } from "./faults.ts";
import { once } from "./interop-suite.ts";
import { networkError, silence } from "./scripted-server.ts";

useScriptedServer();

/** The events of a browser's page, which Node does not have. */
let page: EventTarget;
let listeners: number;

beforeEach(() => {
  page = new EventTarget();
  listeners = 0;
  vi.stubGlobal("addEventListener", (type: string, listener: EventListener) => {
    listeners++;
    page.addEventListener(type, listener);
  });
  vi.stubGlobal("removeEventListener", (type: string, listener: EventListener) => {
    listeners--;
    page.removeEventListener(type, listener);
  });
  vi.stubGlobal("document", { hidden: false });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it.each(["online", "visibilitychange"])(
  "connects at once on the event %s in place of waiting",
  async (type) => {
    server.onHandshake = () => (server.handshakes === 1 ? networkError() : undefined);
    const socket = connect({ ...POLLING, reconnectionDelay: 60_000, reconnectionDelayMax: 60_000 });
    await once(socket, "connect_error");
    await Promise.resolve();
    const attempt = once(socket.io, "reconnect_attempt");
    page.dispatchEvent(new Event(type));
    expect(await attempt).toEqual([1]);
    await once(socket, "connect");
  },
);

it.each(["online", "visibilitychange"])("notices a lost connection soon after %s", async (type) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"], shouldAdvanceTime: true });
  const socket = await connected();
  server.onPost = silence;
  const disconnected = once(socket, "disconnect");
  page.dispatchEvent(new Event(type));
  vi.advanceTimersByTime(5_000);
  expect((await disconnected)[0]).toBe("ping timeout");
  server.onPost = () => undefined;
  vi.advanceTimersByTime(1_000);
  await once(socket, "connect");
});

it("does not check a connection while the page is hidden, and keeps a connection that answers", async () => {
  const socket = await connected();
  server.posts.length = 0;
  vi.stubGlobal("document", { hidden: true });
  page.dispatchEvent(new Event("visibilitychange"));
  vi.stubGlobal("document", { hidden: false });
  page.dispatchEvent(new Event("visibilitychange"));
  await expect.poll(() => server.posts).toEqual(["3"]);
  expect(socket.connected).toBe(true);
});

it("disconnects at once when the page goes offline, and buffers what is emitted meanwhile", async () => {
  const socket = await connected({ ...POLLING, reconnectionDelay: 60_000, reconnectionDelayMax: 60_000 });
  const disconnected = once(socket, "disconnect");
  page.dispatchEvent(new Event("offline"));
  expect((await disconnected)[0]).toBe("transport close");
  socket.emit("meanwhile");
  server.posts.length = 0;
  page.dispatchEvent(new Event("online"));
  await once(socket, "connect");
  await expect.poll(() => server.posts.join("\x1e")).toContain('42["meanwhile"]');
});

it("buffers what is emitted once the server has been silent too long, even before the timer fires", async () => {
  const socket = await connected();
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.now() + 60_000);
  server.posts.length = 0;
  const disconnected = once(socket, "disconnect");
  socket.emit("kept", 1);
  socket.emit("kept", 2);
  vi.useRealTimers();
  expect((await disconnected)[0]).toBe("ping timeout");
  await once(socket, "connect");
  await expect.poll(() => server.posts.join("\x1e")).toContain('42["kept",1]\x1e42["kept",2]');
});

it("removes its listeners from the page when it is disconnected", async () => {
  const socket = await connected();
  expect(listeners).toBeGreaterThan(0);
  socket.disconnect();
  expect(listeners).toBe(0);
});
