import { Agent, request } from "node:http";
import { POLL_HEADERS } from "./browser.ts";

const AT_ONCE = 50;
/** Long enough for a GET to reach the server before the POST that it waits for. */
const PARKED_AFTER_MS = 10;
const ECHO = '42["message","a line of a chat, of usual length"]';

interface Client {
  readonly port: number;
  readonly sid: string;
}

/** Long-polling clients that write Engine.IO payloads by hand. */
export class Polls {
  /** The clients that are connected. */
  readonly clients: Client[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  #isIdling = false;

  async open(port: number, count: number): Promise<void> {
    for (let left = count; left > 0; left -= AT_ONCE) {
      const some = Array.from({ length: Math.min(left, AT_ONCE) }, () => this.#connect(port));
      this.clients.push(...(await Promise.all(some)));
    }
  }

  /**
   * Each client lets a GET wait, POSTs a message and receives it with the GET, `each` times. Returns the number of
   * round trips.
   */
  async roundTrips(each: number): Promise<number> {
    await Promise.all(
      this.clients.map(async (client) => {
        for (let i = 0; i < each; i++) await this.#roundTrip(client);
      }),
    );
    return each * this.clients.length;
  }

  /** Each client POSTs three messages while no GET waits, and then fetches the echoes. */
  async queue(): Promise<number> {
    const body = Array.from({ length: 3 }, () => ECHO).join("\x1e");
    for (const client of this.clients) {
      await this.#send(client, "POST", body);
      const payload = await this.get(client);
      if (payload !== body) throw new Error(`the GET got ${payload}`);
    }
    return this.clients.length;
  }

  /** Sends one GET of a client. */
  get(client: Client): Promise<string> {
    return this.#send(client, "GET");
  }

  /** Lets each client poll and answer pings, as an idle client does, until `close`. */
  idle(): void {
    this.#isIdling = true;
    for (const client of this.clients) {
      this.#idle(client).catch((error: unknown) => {
        if (this.#isIdling) throw error;
      });
    }
  }

  close(): void {
    this.#isIdling = false;
    this.clients.length = 0;
    this.#agent.destroy();
  }

  async #connect(port: number): Promise<Client> {
    const opening = await this.#send({ port, sid: "" }, "GET");
    const { sid } = JSON.parse(opening.slice(1)) as { sid: string };
    const client = { port, sid };
    // As with the stock client, a GET waits when the CONNECT arrives.
    const waiting = this.#send(client, "GET");
    await new Promise((resolve) => setTimeout(resolve, PARKED_AFTER_MS));
    await this.#send(client, "POST", "40");
    const joined = await waiting;
    if (!joined.startsWith("40")) throw new Error(`not joined: ${joined}`);
    return client;
  }

  async #roundTrip(client: Client): Promise<void> {
    const waiting = this.#poll(client);
    await new Promise((resolve) => setTimeout(resolve, PARKED_AFTER_MS));
    const posted = await this.#send(client, "POST", ECHO);
    if (posted !== "ok") throw new Error(`the POST got ${posted}`);
    const delivered = await waiting;
    if (delivered !== ECHO) throw new Error(`the GET got ${delivered}`);
  }

  /** The next packet for a client that is not a ping; pings are answered. */
  async #poll(client: Client): Promise<string> {
    for (;;) {
      const payload = await this.#send(client, "GET");
      if (!payload.startsWith("2")) return payload;
      await this.#send(client, "POST", "3");
      if (payload.length > 2) return payload.slice(2);
    }
  }

  async #idle(client: Client): Promise<void> {
    while (this.#isIdling) {
      const payload = await this.#send(client, "GET");
      if (payload !== "2") throw new Error(`an idle client got ${payload}`);
      await this.#send(client, "POST", "3");
    }
  }

  #send({ port, sid }: Client, method: "GET" | "POST", body?: string): Promise<string> {
    const path = `/socket.io/?EIO=4&transport=polling${sid === "" ? "" : `&sid=${sid}`}`;
    const content =
      body === undefined ? {} : { "content-type": "text/plain;charset=UTF-8", "content-length": body.length };
    const headers = { ...POLL_HEADERS, ...content };
    return new Promise((resolve, reject) => {
      const req = request(
        { host: "127.0.0.1", port, path, method, headers, agent: this.#agent },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
          });
          response.on("end", () => {
            if (response.statusCode === 200) resolve(text);
            else reject(new Error(`${method} got ${response.statusCode} ${text}`));
          });
        },
      );
      req.once("error", reject);
      req.end(body);
    });
  }
}
