import { WebSocket } from "ws";
import { AS_BROWSERS } from "./browser.ts";
import type { Polls } from "./polls.ts";

/** Upgrades each polling client to WebSocket as the stock client does: with a probe, and then the upgrade. */
export async function upgradeAll(polls: Polls): Promise<WebSocket[]> {
  return Promise.all(polls.clients.map((client) => upgrade(polls, client)));
}

async function upgrade(polls: Polls, { port, sid }: Polls["clients"][number]): Promise<WebSocket> {
  const waiting = polls.get({ port, sid });
  const url = `ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket&sid=${sid}`;
  const socket = new WebSocket(url, AS_BROWSERS);
  await new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("open", resolve);
  });
  const answered = new Promise<string>((resolve) => socket.once("message", (data) => resolve(String(data))));
  socket.send("2probe");
  if ((await answered) !== "3probe") throw new Error("the probe was not answered");
  const released = await waiting;
  if (released !== "6") throw new Error(`the waiting GET got ${released}`);
  socket.send("5");
  return socket;
}
