import { runDurableObjectAlarm } from "cloudflare:test";
import { expect } from "vitest";
import type { Clock } from "./clock.ts";
import type { TalkKind } from "./support.ts";
import { type Talker, TalkObject, type TransportName } from "./talk.ts";

/** An application that gives every client a room and data, and records what it observes. */
export class Club extends TalkObject {
  readonly notes: unknown[];

  constructor(name: string, kind: TalkKind = "RECOVER") {
    const notes: unknown[] = [];
    super(
      `club ${name}`,
      (io) => {
        io.use((_, next) => {
          notes.push("middleware");
          next();
        });
        io.on("connection", (socket) => {
          notes.push(`connection ${socket.recovered}`);
          if (!socket.recovered) {
            socket.join("room");
            socket.data.name = "ann";
          }
          socket.on("sync", (ack) => ack());
          socket.on("show", (ack) => ack(socket.data, [...socket.rooms].slice(1), socket.recovered));
          socket.on("disconnect", (reason) =>
            notes.push(["disconnect", reason, socket.data.name, socket.handshake.auth.token ?? null]),
          );
        });
      },
      kind,
    );
    this.notes = notes;
  }

  /** Runs every alarm that is due by `ms` after the start, one after the other; returns their times. */
  async tickUntil(clock: Clock, ms: number, ...alive: Talker[]): Promise<number[]> {
    const times: number[] = [];
    for (;;) {
      const at = await this.run((_, ctx) => ctx.storage.getAlarm());
      if (at === null || at - clock.start > ms) return times;
      times.push(at - clock.start);
      clock.set(at - clock.start);
      await runDurableObjectAlarm(this.stub);
      await this.sleep();
      for (const client of alive) await client.live();
    }
  }

  /** Ends the instance, whatever it is doing. */
  async die(): Promise<void> {
    await this.run((_, ctx) => ctx.abort("the object dies")).catch(() => {});
  }

  /** The rows that recovery has stored of sockets. */
  async recoveryRecords(): Promise<string[]> {
    return (await this.recoveryRows()).filter((key) => key === "sio_r:");
  }

  async recoveryRows(): Promise<string[]> {
    return [...(await this.rows()).keys()]
      .map((key) => key.slice(0, 6))
      .filter((key) => /^sio_[rlp]:/.test(key));
  }
}

export interface Ticket {
  id: string;
  pid: string;
  offset?: string;
}

/** Joins, and returns what a stock client remembers, and the events that arrived before the answer. */
export async function enter(client: Talker, auth: object = {}): Promise<Ticket & { missed: unknown[][] }> {
  const heard = await client.join("/", auth);
  const { sid, pid } = JSON.parse(heard.at(-1)!.slice(2)) as { sid: string; pid: string };
  const events = heard.slice(0, -1).map((packet) => JSON.parse(packet.slice(2)) as unknown[]);
  return {
    id: sid,
    pid,
    missed: events.map((event) => event.slice(0, -1)),
    offset: events.at(-1)?.at(-1) as string | undefined,
  };
}

/** Connects a member who has received one event. */
export async function joinClub(
  club: Club,
  transport: TransportName = "websocket",
): Promise<Ticket & { client: Talker }> {
  const client = await club.connect(transport);
  const { id, pid } = await enter(client, { token: "t" });
  await club.act((io) => void io.emit("hello"));
  const packet = await client.hear();
  expect(packet).toMatch(/^42\["hello","[0-9a-z]{12}"\]$/);
  return { client, id, pid, offset: (JSON.parse(packet.slice(2)) as string[])[1] };
}
