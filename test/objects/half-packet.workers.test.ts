import { expect, it } from "vitest";
import type { StoredSession } from "../../src/objects/storage/session-store.ts";
import { TalkObject } from "./talk.ts";

const HEADER = '452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';

/** An object that sends everything back, and a way to end its instance at once, as a deploy does. */
function echoObject(name: string) {
  const object = new TalkObject(name, (io) => {
    io.on("connection", (socket) => {
      socket.on("echo", (...args) => socket.emit("echo", ...args));
      socket.on("sizes", (...args) => socket.emit("sizes", ...args.map((it) => it.byteLength)));
    });
  });
  const restart = () => object.run((_, ctx) => ctx.abort("restarted")).catch(() => {});
  return { object, restart };
}

it("a packet is assembled from several POSTs although the object is restarted between them", async () => {
  const { object, restart } = echoObject("half packet");
  const client = await object.join("polling");
  for (const text of ["first", "second"]) {
    for (const part of [HEADER, "bAQ==", "bAg=="]) {
      await client.say(part);
      await restart();
    }
    expect([await client.hear(), await client.hear(), await client.hear()]).toEqual([
      HEADER,
      "bAQ==",
      "bAg==",
    ]);
    await restart();
    await client.say(`42["echo","${text}"]`);
    expect(await client.hear()).toBe(`42["echo","${text}"]`);
  }
  expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`]);
});

it.each(["awake", "restarted"])(
  "four buffers of 700 kB arrive over polling, and each is written to disk once (object %s)",
  async (state) => {
    const { object, restart } = echoObject(`large halves ${state}`);
    const client = await object.join("polling");
    const placeholders = [0, 1, 2, 3].map((num) => `{"_placeholder":true,"num":${num}}`);
    await client.say(`454-["sizes",${placeholders}]`);
    const buffer = `b${btoa("x".repeat(700_000))}`;
    let before = 0;
    for (let i = 0; i < 3; i++) {
      if (state === "restarted") await restart();
      await client.say(buffer);
      const rows = [...(await object.rows())].filter(([key]) =>
        key.startsWith(`sio_rows:${client.sid}:half:`),
      );
      const total = rows.reduce((sum, [, row]) => sum + (row as { bytes: number }).bytes, 0);
      expect(total - before).toBeGreaterThan(933_000);
      expect(total - before).toBeLessThan(934_000);
      before = total;
    }
    if (state === "restarted") await restart();
    await client.say(buffer);
    expect(await client.hear()).toBe('42["sizes",700000,700000,700000,700000]');
    expect(await object.sessionRows()).toEqual([`sio_s:${client.sid}`]);
  },
);

it("a packet is completed over WebSocket after an upgrade, and leaves no row", async () => {
  const { object } = echoObject("half upgraded");
  const polling = await object.openPolling();
  await polling.post("40");
  expect(await polling.poll()).toMatch(/^40{/);
  await polling.post(HEADER);
  await polling.post("bAQ==");
  const socket = await polling.upgrade();
  await object.sleep();
  socket.socket.send(new Uint8Array([2]));
  expect(await socket.next()).toBe(HEADER);
  expect(await socket.next()).toEqual(new Uint8Array([1]).buffer);
  expect(await socket.next()).toEqual(new Uint8Array([2]).buffer);
  expect(await object.sessionRows()).toEqual([]);
});

it("a packet that an earlier version of this code kept in the session's row is completed", async () => {
  const { object, restart } = echoObject("half of version 1");
  const client = await object.join("polling");
  await object.run((_, { storage: { kv } }) => {
    const key = `sio_s:${client.sid}`;
    const row = kv.get<StoredSession>(key)!;
    const pending = [HEADER.slice(1), new Uint8Array([1])];
    kv.put(key, { ...row, v: 1, record: { ...(row.record as object), pending } });
  });
  await restart();
  await object.act((io) => void io.engine.clients);
  await restart();
  await client.say("bAg==");
  expect([await client.hear(), await client.hear(), await client.hear()]).toEqual([HEADER, "bAQ==", "bAg=="]);
});

it("half of a packet is removed with its session", async () => {
  const { object } = echoObject("half left");
  const client = await object.join("polling");
  await client.say(HEADER);
  await client.say("bAQ==");
  await object.sleep();
  await client.say("1");
  expect(await object.sessionRows()).toEqual([]);
});
