import { describe, expect, it } from "vitest";
import { pathOf } from "../support/raw-session.ts";
import { RawSocket } from "../support/raw-socket.ts";
import { start } from "../support/targets.ts";

const CONNECT = '40{"name":"it"}';

async function join(at: { host: string; port: number }, EIO: string): Promise<RawSocket> {
  const raw = await RawSocket.open(at, pathOf({ EIO, transport: "websocket" }));
  raw.socket.on("message", (data) => {
    if (data.toString() === "2") raw.send("3");
  });
  // Clients of v2 are in the main namespace from the start.
  if (EIO === "4") raw.send(CONNECT);
  await raw.nextText("40");
  return raw;
}

/** Where clients prove that they read, these answers are lies, because they have read nothing. */
const LIES = { "3": "2", "4": "3" } as const;

describe.concurrent.each([
  ["default", "4", 24],
  ["a pingInterval of 9 s", "4", 24],
  ["hibernation: false", "4", 24],
  ["a client of v2", "3", 40],
] as const)("maxQueuedBytes with %s", (variant, EIO, megabytes) => {
  it("closes a WebSocket that is not read, whatever its client sends, and none that is", async () => {
    const server = await start("edge", "flood", variant);
    try {
      const reader = await join(server, EIO);
      const other = await join(server, "4");
      reader.send('42["flood",24]');
      for (let i = 0; i < 24; i++) await reader.nextText('42["mega"', 20_000);
      const liar = await join(server, EIO);
      liar.send(`42["flood",${megabytes}]`);
      liar.socket.pause();
      const lying = setInterval(() => liar.send(LIES[EIO]), 100);
      const left = await other.nextText('42["left"', 15_000);
      clearInterval(lying);
      liar.cut();
      expect(JSON.parse(left.slice(2)).slice(2)).toEqual(["transport error", "too many bytes queued"]);
      reader.send('421["echo"]');
      expect(await reader.nextText("431")).toBe("431[]");
    } finally {
      await server.close();
    }
  });
});
