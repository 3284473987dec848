import { io, type Socket } from "socket.io-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Running } from "../support/app.ts";
import { connected, type Mode, modeOptions, upgraded } from "../support/clients.ts";
import { start, targets } from "../support/targets.ts";
import { Inbox, within } from "../support/within.ts";

/**
 * The page of the tutorial: it tells the server what it has received, and repeats a message until it is acknowledged.
 */
class Page {
  readonly socket: Socket;
  readonly heard = new Inbox<string>();
  #sent = 0;

  constructor(url: string, name: string, mode: Mode) {
    const auth = { serverOffset: 0 };
    this.socket = io(url, {
      ...modeOptions(mode),
      auth,
      ackTimeout: 500,
      retries: 10,
      forceNew: true,
      reconnectionDelay: 20,
    });
    this.socket.on("chat message", (content: string, number: number) => {
      auth.serverOffset = number;
      this.heard.push(`${number} ${content}`);
    });
    this.say = (content) => this.socket.emit("chat message", content, `${name}-${this.#sent++}`);
  }

  readonly say: (content: string) => void;

  /**
   * Waits until nothing of its connection is under way. A stock client notices an upgrade that fails half-way only by
   * its ping timeout, and an object is not evicted while an upgrade is under way.
   */
  async settled(): Promise<void> {
    const { connected: isConnected, io } = this.socket;
    if (!isConnected) await within(new Promise<void>((resolve) => this.#whenClosed(resolve)), "end");
    else if (io.opts.transports === undefined || io.opts.transports.length > 1) await upgraded(this.socket);
  }

  #whenClosed(resolve: () => void): void {
    const { engine } = this.socket.io;
    if (engine === undefined || engine.readyState === "closed") resolve();
    else engine.once("close", resolve);
  }

  async hears(...lines: string[]): Promise<void> {
    for (const line of lines) expect(await this.heard.next(line)).toBe(line);
  }
}

/** What happens to the object between any two steps. */
const interruptions = { official: ["none"], edge: ["none", "hibernate", "close"] } as const;

describe.each(targets)("the last step of the official tutorial on %s", (target) => {
  describe.each(interruptions[target])(
    "with the object left alone, hibernated or restarted: %s",
    (interruption) => {
      let server: Running;
      const pages: Page[] = [];

      beforeEach(async () => {
        server = await start(target, "tutorial");
      });

      afterEach(async () => {
        for (const { socket } of pages.splice(0)) socket.disconnect();
        await server.close();
      });

      function open(name: string, mode: Mode): Page {
        const page = new Page(server.url, name, mode);
        pages.push(page);
        return page;
      }

      async function interrupt(): Promise<void> {
        if (interruption === "none") return;
        for (const page of pages) await page.settled();
        await server.evict(interruption);
      }

      it.each(["default", "polling", "websocket"] as const)(
        "delivers every message once to everybody, also to a client that was away (%s)",
        async (mode) => {
          const ann = open("ann", mode);
          const bob = open("bob", mode);
          ann.say("one");
          for (const page of [ann, bob]) await page.hears("1 one");
          await interrupt();
          bob.say("two");
          for (const page of [ann, bob]) await page.hears("2 two");
          bob.socket.disconnect();
          await interrupt();
          ann.say("three");
          ann.say("four");
          await ann.hears("3 three", "4 four");
          await interrupt();
          bob.say("said while away");
          bob.socket.connect();
          // What bob missed arrives as soon as he is back, and before his own message.
          await bob.hears("3 three", "4 four", "5 said while away");
          await ann.hears("5 said while away");
          await interrupt();
          const cat = open("cat", mode);
          await cat.hears("1 one", "2 two", "3 three", "4 four", "5 said while away");
          cat.say("six");
          for (const page of [ann, bob, cat]) await page.hears("6 six");
          for (const page of [ann, bob, cat]) expect(page.heard.unread).toEqual([]);
        },
      );

      it("delivers what it missed to a page that had received nothing before it lost its connection", async () => {
        const ann = open("ann", "websocket");
        const bob = open("bob", "websocket");
        for (const { socket } of [ann, bob]) await connected(socket);
        await interrupt();
        for (const { socket } of [ann, bob]) await connected(socket);
        bob.socket.io.engine.close();
        ann.say("one");
        for (const page of [ann, bob]) await page.hears("1 one");
        ann.say("two");
        for (const page of [ann, bob]) await page.hears("2 two");
        expect(bob.heard.unread).toEqual([]);
      });

      it("recovers a page that lost its connection, with what it missed", async () => {
        const ann = open("ann", "websocket");
        const bob = open("bob", "websocket");
        ann.say("one");
        for (const page of [ann, bob]) await page.hears("1 one");
        bob.socket.io.engine.close();
        ann.say("two");
        for (const page of [ann, bob]) await page.hears("2 two");
        expect(bob.socket.recovered).toBe(true);
        await interrupt();
        ann.say("three");
        for (const page of [ann, bob]) await page.hears("3 three");
        expect(bob.heard.unread).toEqual([]);
      });
    },
  );
});
