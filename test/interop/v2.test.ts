import type { Socket } from "socket.io-client";
import io from "socket.io-client-2.5";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { said } from "../contract/behaviours.ts";
import type { Running } from "../support/app.ts";
import { ask, connected, type Mode, modeOptions, modes, transportOf, upgraded } from "../support/clients.ts";
import { http } from "../support/http.ts";
import { start, targets } from "../support/targets.ts";

const connect = io as unknown as (url: string, options: object) => Socket;

describe.each(targets)("socket.io-client 2.5 on %s", (target) => {
  let server: Running;
  beforeAll(async () => {
    server = await start(target, "contract", "v2");
  });
  afterAll(() => server?.close());

  describe.each(Object.keys(modes) as Mode[])("by %s", (mode) => {
    it("talks, with bytes both ways, and takes 200 packets in order", async () => {
      const socket = connect(server.url, { forceNew: true, reconnection: false, ...modeOptions(mode) });
      try {
        await connected(socket);
        if (mode === "default") await upgraded(socket);
        expect(transportOf(socket)).toBe(mode === "polling" ? "polling" : "websocket");
        expect(await ask(socket, "echo", { deep: ["ü", null] })).toEqual({ deep: ["ü", null] });
        expect([...(await ask<Buffer>(socket, "echo", Buffer.from([0, 128, 255])))]).toEqual([0, 128, 255]);
        const echoes = said(socket, "echo");
        socket.emit("echo", "text", { deep: Buffer.from([1]) });
        const [text, { deep }] = (await echoes.next()) as [string, { deep: Buffer }];
        expect([text, ...deep]).toEqual(["text", 1]);
        const numbers = said(socket, "n");
        socket.emit("count", 0, 200);
        for (let i = 0; i < 200; i++) expect(await numbers.next()).toEqual([i]);
      } finally {
        socket.disconnect();
      }
    });
  });

  it("gets binary payloads byte by byte, also in the answer to a poll that did not wait", async () => {
    const raw = await start(target, "basic", "v2");
    try {
      const path = "/socket.io/?EIO=3&transport=polling";
      const open = await (await fetch(raw.url + path)).text();
      const sid = JSON.parse(open.slice(open.indexOf("{"), open.indexOf("}") + 1)).sid;
      const poll = () => fetch(`${raw.url}${path}&sid=${sid}`);
      const event = '42["binary"]';
      const body = `${event.length}:${event}`;
      await fetch(`${raw.url}${path}&sid=${sid}`, { method: "POST", body });
      let bytes = Buffer.alloc(0);
      let type: string | null = null;
      while (!bytes.includes(Buffer.from([4, 1, 2, 3]))) {
        const answer = await poll();
        type = answer.headers.get("content-type");
        bytes = Buffer.from(await answer.arrayBuffer());
      }
      expect(type).toBe("application/octet-stream");
      // Each packet: 1 for binary, the digits of its length, 255, the type, the bytes.
      expect([...bytes.subarray(-12)]).toEqual([1, 4, 255, 4, 1, 2, 3, 1, 2, 255, 4, 4]);
    } finally {
      await raw.close();
    }
  });

  it("is told where only newer clients are welcome", async () => {
    const strict = await start(target, "contract");
    try {
      const { body } = await http(strict, "/socket.io/?EIO=3&transport=polling");
      expect(body).toBe('{"code":5,"message":"Unsupported protocol version"}');
    } finally {
      await strict.close();
    }
  });
});
