import type { Address, Exchange } from "./http.ts";
import type { Monitor } from "./monitor.ts";
import { joinByWebSocket, type OpenPacket, RawSession } from "./raw-session.ts";
import type { RawSocket } from "./raw-socket.ts";

/**
 * Idle sessions, half of them with a waiting poll and half on a WebSocket, which must not be affected by whatever
 * others do.
 */
export class Bystanders {
  readonly #polling: { session: RawSession; poll: Exchange }[] = [];
  readonly #sockets: { socket: RawSocket; open: OpenPacket }[] = [];

  static async gather(at: Address, monitor: Monitor, count = 50): Promise<Bystanders> {
    const group = new Bystanders();
    for (let i = 0; i < count / 2; i++) {
      const session = await RawSession.join(at);
      const poll = session.begin({ ms: 300_000 });
      await monitor.parked(session);
      group.#polling.push({ session, poll });
      group.#sockets.push(await joinByWebSocket(at));
    }
    return group;
  }

  /** Fails when one of them has received anything, or is no longer served. Pings during a long test are ignored. */
  async expectUndisturbed(): Promise<void> {
    for (const [i, { session, poll }] of this.#polling.entries()) {
      const text = `42["echo","polling ${i}"]`;
      const posted = await session.post(text);
      if (posted.status !== 200)
        throw new Error(`bystander ${i} on polling: ${posted.status} ${posted.body}`);
      const { body } = await poll.reply;
      const answer = body === "2" ? await session.next("42") : body;
      if (answer !== text) throw new Error(`bystander ${i} on polling got ${JSON.stringify(body)}`);
    }
    for (const [i, { socket }] of this.#sockets.entries()) {
      const noise = socket.frames.unread.filter((frame) => frame !== "2" && frame !== "6");
      if (noise.length > 0) throw new Error(`bystander ${i} on WebSocket got ${JSON.stringify(noise)}`);
      const text = `42["echo","websocket ${i}"]`;
      socket.send(text);
      await socket.nextText(text);
    }
  }

  leave(): void {
    for (const { poll } of this.#polling) poll.reset();
    for (const { socket } of this.#sockets) socket.cut();
  }
}
