import { describe, expect, it } from "vitest";
import { start, targets } from "../support/targets.ts";

describe.each(targets)("a binary payload of Engine.IO v3 on %s", (target) => {
  it("keeps every byte in the answer to a poll that did not wait", async () => {
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
});
