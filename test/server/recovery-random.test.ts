import { expect, it } from "vitest";
import type { Server, Socket } from "../../src/server/index.ts";
import { Random } from "../support/random.ts";
import { FakeObject, type TestClient } from "./fakes.ts";

const ROOMS = ["a", "b", "c"];
const WINDOW = 120_000;
const RUNS = 20;

/** A client with the memory of a stock client, and the events that it would have received by staying. */
class Visitor {
  client!: TestClient;
  sid = "";
  pid: string | undefined;
  offset: string | undefined;
  /** The last socket, for a handler that is still running. */
  socket: Socket | undefined;
  /** Its connection has broken; `isThere` says that the server has not noticed yet. */
  isCut = false;
  isThere = false;
  awayAt = 0;
  rooms = new Set<string>();
  heard: string[] = [];
  due: string[] = [];
  /** The offsets, by the number of events that had been received with them. */
  readonly offsets: (string | undefined)[] = [];

  /** Receives what the network has delivered, or a part of it. */
  listen(count = Number.POSITIVE_INFINITY): void {
    for (const frame of this.client.take().slice(0, count)) {
      const text = String(frame);
      if (text.startsWith("40")) ({ sid: this.sid, pid: this.pid } = JSON.parse(text.slice(2)));
      if (!text.startsWith("42")) continue;
      const [event, offset] = JSON.parse(text.slice(2)) as [string, string];
      this.heard.push(event);
      this.offset = offset;
      this.offsets[this.heard.length] = offset;
    }
  }
}

/** Random visits, with every way to miss events. */
class Run {
  readonly #random: Random;
  readonly #object: FakeObject;
  readonly #visitors: Visitor[] = [];
  readonly log: string[] = [];
  /** The middlewares that are running. */
  readonly #waiting: (() => void)[] = [];
  #events = 0;
  /** The latest time that the clock has shown. */
  #latest = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#object = new FakeObject(
      (io) => void io.use((socket, next) => void (socket.recovered ? this.#waiting.push(next) : next())),
      { options: { connectionStateRecovery: { skipMiddlewares: seed % 2 === 0 } } },
    );
  }

  async play(steps: number): Promise<void> {
    for (let i = 0; i < 4; i++) {
      const visitor = new Visitor();
      this.#visitors.push(visitor);
      await this.#enter(visitor);
    }
    for (let step = 0; step < steps; step++) await this.#step();
    for (const visitor of this.#visitors) await this.#comeBack(visitor);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    if (random.chance(0.3)) this.#object.clock.now += random.below(2_000);
    const visitor = random.pick(this.#visitors);
    const dice = random.below(100);
    if (dice < 60) await this.#act();
    else if (dice < 75) this.#cut(visitor);
    else if (dice < 80) await this.#notice(visitor);
    else if (dice < 85) await this.#sleep();
    else if (dice < 88) await this.#restart();
    else await this.#comeBack(visitor);
    for (const it of this.#visitors)
      if (this.#object.clock.now - it.awayAt > WINDOW - 2_000) await this.#comeBack(it);
  }

  /** Some actions in one turn. */
  async #act(): Promise<void> {
    const changes = Array.from({ length: 1 + this.#random.below(4) }, () => this.#change());
    await this.#object.act((io) => {
      for (const change of changes) change(io);
    });
  }

  /** One action in the object. */
  #change(): (io: Server) => void {
    const random = this.#random;
    const visitor = random.pick(this.#visitors);
    const room = random.pick(ROOMS);
    const dice = random.below(10);
    if (dice < 2) return (io) => this.#move(io, visitor, room, "join");
    if (dice < 4) return (io) => this.#move(io, visitor, room, "leave");
    if (dice < 6) return (io) => this.#tell(io, visitor);
    const some = (chance: number) =>
      [...ROOMS, ...this.#visitors.map(({ sid }) => sid)].filter(() => random.chance(chance));
    return (io) => this.#broadcast(io, random.chance(0.5) ? [] : some(0.3), some(0.15));
  }

  #move(io: Server, visitor: Visitor, room: string, how: "join" | "leave"): void {
    this.log.push(`${this.#visitors.indexOf(visitor)} ${how} ${room} ${visitor.isThere}`);
    if (how === "join") io.in(visitor.sid).socketsJoin(room);
    else io.in(visitor.sid).socketsLeave(room);
    if (!visitor.isThere) return;
    if (how === "join") visitor.rooms.add(room);
    else visitor.rooms.delete(room);
  }

  #broadcast(io: Server, rooms: string[], except: string[]): void {
    const event = `e${this.#events++}`;
    this.log.push(`${event} to ${rooms} except ${except}`);
    io.to(rooms).except(except).emit(event);
    for (const visitor of this.#visitors) {
      const isIn = (room: string) => room === visitor.sid || visitor.rooms.has(room);
      if ((rooms.length === 0 || rooms.some(isIn)) && !except.some(isIn)) visitor.due.push(event);
    }
  }

  /** An action of a handler of its own, which may still be running. */
  #tell(io: Server, visitor: Visitor): void {
    visitor.socket = io.sockets.sockets.get(visitor.sid) ?? visitor.socket;
    if (visitor.socket === undefined) return;
    const event = `e${this.#events++}`;
    this.log.push(`${event} told ${this.#visitors.indexOf(visitor)}`);
    visitor.socket.emit(event);
    visitor.due.push(event);
  }

  /** The network delivers a part of what is under way. */
  #cut(visitor: Visitor): void {
    if (visitor.isCut) return;
    this.log.push(`${this.#visitors.indexOf(visitor)} cut`);
    visitor.listen(this.#random.below(4));
    visitor.isCut = true;
    visitor.awayAt = this.#object.clock.now;
  }

  async #notice(visitor: Visitor): Promise<void> {
    if (!visitor.isCut || !visitor.isThere) return;
    this.log.push(`${this.#visitors.indexOf(visitor)} noticed`);
    visitor.isThere = false;
    await visitor.client.leave();
  }

  async #sleep(): Promise<void> {
    this.log.push("sleep");
    for (const visitor of this.#visitors) visitor.socket = undefined;
    await this.#turnClock();
    await this.#object.sleep();
  }

  /**
   * The clock of the next instance may be behind; the log shows how late it is to an instance that finds entries there.
   */
  async #turnClock(): Promise<void> {
    const { clock } = this.#object;
    const isBehind = clock.now < this.#latest || this.#random.chance(0.3);
    this.#latest = Math.max(this.#latest, clock.now);
    if (isBehind) await this.#object.act((io) => this.#broadcast(io, [], []));
    clock.now += isBehind ? -this.#random.below(5_000) : 1;
  }

  async #restart(): Promise<void> {
    this.log.push("restart");
    for (const visitor of this.#visitors) {
      this.#cut(visitor);
      visitor.isThere = false;
      visitor.socket = undefined;
    }
    await this.#turnClock();
    await this.#object.restart();
  }

  async #enter(visitor: Visitor): Promise<void> {
    visitor.client = await this.#object.connect();
    await visitor.client.send("0");
    visitor.listen();
    visitor.isThere = true;
    visitor.awayAt = Number.POSITIVE_INFINITY;
  }

  /** Reconnects with what it remembers, or with an earlier state: it may have received more than it says. */
  async #comeBack(visitor: Visitor): Promise<void> {
    if (!visitor.isCut) this.#cut(visitor);
    const { sid, pid } = visitor;
    if (this.#random.chance(0.2)) {
      visitor.heard.length = this.#random.below(visitor.heard.length + 1);
      visitor.offset = visitor.offsets[visitor.heard.length];
    }
    visitor.client = await this.#object.connect();
    this.log.push(`${this.#visitors.indexOf(visitor)} back with ${visitor.offset}`);
    await visitor.client.send(`0${JSON.stringify({ pid, offset: visitor.offset })}`);
    visitor.isThere = this.#waiting.length === 0;
    if (this.#random.chance(0.5)) await this.#act();
    const isLostAgain = this.#random.chance(0.1);
    if (isLostAgain) await visitor.client.leave();
    visitor.isThere &&= !isLostAgain;
    for (const next of this.#waiting.splice(0)) next();
    await this.#object.settle();
    if (isLostAgain) {
      visitor.listen(this.#random.below(4));
      return this.#comeBack(visitor);
    }
    visitor.listen();
    visitor.isCut = false;
    visitor.isThere = true;
    visitor.awayAt = Number.POSITIVE_INFINITY;
    expect([visitor.sid, visitor.heard], this.log.slice(-80).join("\n")).toEqual([sid, visitor.due]);
  }
}

it.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
  "a recovered client receives exactly what it would have received by staying (seed %i)",
  async (seed) => {
    await new Run(seed).play(200);
  },
);
