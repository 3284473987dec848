import type { Address } from "../../support/http.ts";
import { joinByWebSocket, RawSession } from "../../support/raw-session.ts";
import { within } from "../../support/within.ts";

/** The rounds that each witness makes before an attack begins, and at least during it. */
const LEAST_ROUNDS = 3;
/** How long a witness may wait for its answer, far less than what makes a stock client give up. */
const LONGEST_WAIT_MS = 10_000;

interface Witness {
  readonly name: string;
  /** Sends a message and reads until the answer arrives; returns what else it has read. */
  round(text: string): Promise<string[]>;
  leave(): void;
}

/**
 * Clients that send messages all the time, some over polling and some over WebSocket. Whatever others do meanwhile,
 * each of their messages is answered once and in order on the same connection, and they receive nothing else.
 */
export class Witnesses {
  readonly #witnesses: Witness[];
  #rounds = 0;

  private constructor(witnesses: Witness[]) {
    this.#witnesses = witnesses;
  }

  get count(): number {
    return this.#witnesses.length;
  }

  static async gather(at: Address, count = 4): Promise<Witnesses> {
    const witnesses: Witness[] = [];
    for (let i = 0; i < count; i++) {
      witnesses.push(i % 2 === 0 ? await byPolling(at, i) : await byWebSocket(at, i));
    }
    return new Witnesses(witnesses);
  }

  /** Lets them send messages, first alone and then during `attack`. Fails with what one of them has observed. */
  async during<T>(attack: () => Promise<T>, mayHear: RegExp = /^[26]$/): Promise<T> {
    let isOver = false;
    for (let i = 0; i < LEAST_ROUNDS; i++)
      await Promise.all(this.#witnesses.map((it) => this.#talk(it, mayHear)));
    const talking = Promise.all(
      this.#witnesses.map(async (witness) => {
        for (let i = 0; !isOver || i < LEAST_ROUNDS; i++) {
          await this.#talk(witness, mayHear);
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }),
    );
    // The first failure gives the reason; the other promise must not be left with an unhandled error.
    talking.catch(() => {});
    try {
      return await Promise.race([attack(), talking.then(() => new Promise<never>(() => {}))]);
    } finally {
      isOver = true;
      await talking;
    }
  }

  /** The witnesses that a restart does not affect. */
  onlyPolling(): Witnesses {
    return new Witnesses(this.#witnesses.filter(({ name }) => name.startsWith("polling")));
  }

  /** Expects that all of them are still connected. */
  expectUndisturbed(mayHear?: RegExp): Promise<void> {
    return this.during(() => Promise.resolve(), mayHear);
  }

  leave(): void {
    for (const witness of this.#witnesses) witness.leave();
  }

  async #talk(witness: Witness, mayHear: RegExp): Promise<void> {
    const text = `${witness.name} says ${this.#rounds++}`;
    const heard = await within(witness.round(text), `answer for ${witness.name}`, LONGEST_WAIT_MS + 1_000);
    const strange = heard.filter((frame) => !mayHear.test(frame));
    if (strange.length > 0) throw new Error(`${witness.name} heard ${JSON.stringify(strange).slice(0, 500)}`);
  }
}

async function byPolling(at: Address, i: number): Promise<Witness> {
  const session = await RawSession.join(at);
  const waiting: string[] = [];
  return {
    name: `polling witness ${i}`,
    async round(text) {
      const posted = await session.post(`42["echo",${JSON.stringify(text)}]`, { ms: LONGEST_WAIT_MS });
      if (posted.status !== 200) throw new Error(`polling witness ${i}: ${posted.status} ${posted.body}`);
      const answer = `42["echo",${JSON.stringify(text)}]`;
      const heard: string[] = [];
      for (;;) {
        if (waiting.length === 0) waiting.push(...(await session.nextPayload(LONGEST_WAIT_MS)));
        const packet = waiting.shift() as string;
        if (isAnswer(packet, answer)) return heard;
        heard.push(packet);
      }
    },
    leave: () => void session.post("1").catch(() => {}),
  };
}

async function byWebSocket(at: Address, i: number): Promise<Witness> {
  const { socket } = await joinByWebSocket(at);
  return {
    name: `WebSocket witness ${i}`,
    async round(text) {
      const answer = `42["echo",${JSON.stringify(text)}]`;
      socket.send(answer);
      const heard: string[] = [];
      for (;;) {
        const frame = String(await socket.next(LONGEST_WAIT_MS));
        if (frame === "2") socket.send("3");
        if (isAnswer(frame, answer)) return heard;
        heard.push(frame);
      }
    },
    leave: () => socket.cut(),
  };
}

/** With recovery, an offset follows the arguments. */
function isAnswer(packet: string, answer: string): boolean {
  return packet.startsWith(answer.slice(0, -1));
}
