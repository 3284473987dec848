import { afterEach, expect } from "vitest";
import { within } from "../../support/within.ts";
import { Raid, until } from "./raid.ts";
import { MOST_GROWTH, MOST_HEAP, MOST_HEAP_OF_SMALL, Victim } from "./victim.ts";
import { Witnesses } from "./witnesses.ts";

/** Rows that belong to the object and to no client. */
/** Broadcasts of attackers reach everybody. */
const ANY_EVENT = /^([26]$|42)/;
const OWN_ROW = /sio_meta|sio_a\b|_meta$|^sqlite_/;

/** A server under attack, and the clients that must not be affected. */
export class Siege {
  readonly victim: Victim;
  readonly raid: Raid;
  witnesses: Witnesses;

  readonly #mostHeap: number;

  private constructor(victim: Victim, witnesses: Witnesses, mostHeap: number) {
    this.#mostHeap = mostHeap;
    this.victim = victim;
    this.witnesses = witnesses;
    this.raid = new Raid(victim);
  }

  static async lay(variant = "default", app?: string): Promise<Siege> {
    const victim = await Victim.start(variant, app);
    const mostHeap = variant.startsWith("small") ? MOST_HEAP_OF_SMALL : MOST_HEAP;
    const siege = new Siege(victim, await Witnesses.gather(victim), mostHeap);
    sieges.push(siege);
    victim.beginAttack();
    return siege;
  }

  /** Lets the witnesses exchange messages during an attack, in which they may receive only what `mayHear` allows. */
  async during<T>(attack: () => Promise<T>, mayHear?: RegExp): Promise<T> {
    try {
      return await this.witnesses.during(attack, mayHear);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** The number of witnesses. */
  get count(): number {
    return this.witnesses.count;
  }

  /** Expects that the isolate has memory left, and that the process has not grown too much. */
  async expectMemory(): Promise<void> {
    const { victim } = this;
    try {
      const heap = await victim.heap();
      if (process.env.RED) console.log(`heap ${heap / 1e6} MB, process +${victim.growth / 1e6} MB`);
      expect(heap).toBeLessThan(this.#mostHeap);
      expect(victim.growth).toBeLessThan(MOST_GROWTH);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** Expects that there is memory left, and that the witnesses are still connected. */
  async expectRoom(): Promise<void> {
    await this.during(async () => {}, ANY_EVENT);
    await this.expectMemory();
  }

  /**
   * Wakes the object and ticks, then restarts the process and ticks, and expects that none of these instances dies of
   * what is stored.
   */
  async expectLaterInstances(): Promise<void> {
    await this.expectRoom();
    await this.victim.evict("hibernate");
    await this.during(() => this.victim.tick());
    await this.restart();
    await this.during(() => this.victim.tick());
  }

  /** Restarts the process, after which only polling clients are still connected, and have lost nothing. */
  async restart(): Promise<void> {
    await this.victim.restart();
    this.witnesses = this.witnesses.onlyPolling();
  }

  /**
   * Expects that after all clients have left and some time has passed, no row, no alarm and hardly any memory is left,
   * and that new clients are served.
   */
  async expectNothingLeft(): Promise<void> {
    const { victim } = this;
    try {
      this.raid.leave();
      this.witnesses.leave();
      // What is under way for clients that are gone would keep the object awake, and delay this.
      await within(victim.evict("hibernate"), "sleep", 12_000);
      await until("the end of all sockets", async () => (await victim.facts()).sockets === 0, 20_000);
      await victim.settle();
      const { rows, alarm, now } = await victim.facts();
      expect(Object.keys(rows).filter((kind) => rows[kind] !== 0 && !OWN_ROW.test(kind))).toEqual([]);
      expect(alarm === null ? null : new Date(alarm - now)).toBeNull();
      expect(await victim.heap()).toBeLessThan(16_000_000);
      const later = await Witnesses.gather(victim, 2);
      await later.expectUndisturbed();
      later.leave();
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async lift(): Promise<void> {
    this.raid.leave();
    this.witnesses.leave();
    await this.victim.stop();
  }

  /** A failed request nearly always means that its server has died. */
  async #explain(error: unknown): Promise<unknown> {
    const { victim } = this;
    // Connections break a moment before the process has ended.
    await until("the end", () => victim.isDown, 1_500).catch(() => {});
    if (!victim.isDown) return error;
    const words =
      /FATAL ERROR.*|.*(out of memory|heap limit).*/i.exec(victim.output)?.[0] ?? victim.output.slice(-500);
    return new Error(`the attack ended the process (+${Math.round(victim.growth / 1e6)} MB): ${words}`);
  }
}

const sieges: Siege[] = [];
afterEach(async () => {
  for (const siege of sieges.splice(0)) await siege.lift();
});
