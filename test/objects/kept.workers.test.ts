import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TalkObject } from "./talk.ts";

let warnings: string[];

beforeEach(() => {
  warnings = [];
  vi.spyOn(console, "warn").mockImplementation((text) => void warnings.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets other events be delivered, as every `await` of user code does. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

class Account {
  readonly name = "ann";
  greet() {
    return `hello ${this.name}`;
  }
}

describe.each(["polling", "websocket"] as const)("what user code keeps on a socket over %s", (transport) => {
  it("may be whatever structured clone accepts, in socket.data and in properties of the socket", async () => {
    const object = new TalkObject(`kept all ${transport}`, (io) => {
      io.on("connection", (it) => {
        const socket = it as typeof it & { user?: object };
        socket.on("keep", (ack) => {
          const value = {
            list: [1, "zwei", null, undefined, 1n],
            map: new Map([["a", new Set([1])]]),
            date: new Date(7),
            pattern: /x/g,
            error: new RangeError("no"),
            bytes: Uint8Array.of(1, 255),
          };
          socket.data.value = value;
          socket.user = { ...value, self: undefined as unknown };
          ack();
        });
        socket.on("show", (ack) => {
          const show = ({ list, map, date, pattern, error, bytes }: typeof socket.data.value) =>
            [list.map(typeName), [...map.get("a")], +date, String(pattern), String(error), [...bytes]].join(
              " | ",
            );
          ack(show(socket.data.value), show(socket.user), "self" in socket.user!);
        });
      });
    });
    const typeName = (value: unknown) => `${typeof value} ${value}`;
    const client = await object.join(transport);
    await client.ask("keep");
    await object.sleep();
    const all =
      "number 1,string zwei,object null,undefined undefined,bigint 1 | 1 | 7 | /x/g | RangeError: no | 1,255";
    expect(await client.ask("show")).toEqual([`43${JSON.stringify([all, all, true])}`]);
    expect(warnings).toEqual([]);
  });

  it("includes changes in plain objects and arrays at any depth and time, also after an await", async () => {
    const object = new TalkObject(`kept deep ${transport}`, (io) => {
      io.on("connection", (it) => {
        const socket = it as typeof it & { user?: { roles: { name: string }[] } };
        socket.data.list = [{ tags: ["a"] }];
        socket.user = { roles: [] };
        socket.on("change", async (ack) => {
          const [first] = socket.data.list;
          const { roles } = socket.user!;
          ack();
          await pause();
          first.tags.push("b");
          socket.data.list.unshift({});
          roles.push({ name: "admin" });
          await pause();
          roles[0]!.name = "guest";
          delete first.tags[0];
          socket.emit("changed");
        });
        socket.on("show", (ack) => ack(socket.data, socket.user));
      });
    });
    const client = await object.join(transport);
    await object.sleep();
    await client.ask("change");
    expect(await client.hear()).toBe('42["changed"]');
    await object.sleep();
    expect(await client.ask("show")).toEqual([
      '43[{"list":[{},{"tags":[null,"b"]}]},{"roles":[{"name":"guest"}]}]',
    ]);
  });

  it("includes a change inside a Map, Set, Date or typed array that was made before the handler settled", async () => {
    const object = new TalkObject(`kept inside ${transport}`, (io) => {
      io.on("connection", (socket) => {
        socket.data.kept = {
          map: new Map([["a", { n: 1 }]]),
          set: new Set([1]),
          date: new Date(0),
          bytes: new Uint8Array(2),
        };
        socket.on("change", async (ack) => {
          const { map, set, date, bytes } = socket.data.kept;
          map.get("a").n = 2;
          await pause();
          set.add(2);
          date.setTime(5);
          bytes[1] = 9;
          ack();
        });
        socket.on("show", (ack) => {
          const { map, set, date, bytes } = socket.data.kept;
          ack([...map], [...set], +date, [...bytes]);
        });
      });
    });
    const client = await object.join(transport);
    await object.sleep();
    await client.ask("change");
    await object.sleep();
    expect(await client.ask("show")).toEqual(['43[[["a",{"n":2}]],[1,2],5,[0,9]]']);
  });

  it("stays as it is while the object is awake, and what cannot be stored is lost by sleep, with one warning", async () => {
    const object = new TalkObject(`kept live ${transport}`, (io) => {
      io.on("connection", (it) => {
        const socket = it as typeof it & { account?: Account };
        socket.on("keep", (ack) => {
          socket.data.deep = { greet: () => "called", friend: socket, stays: true };
          socket.account = new Account();
          ack();
        });
        socket.on("use", (ack) => {
          const { greet, friend, stays } = socket.data.deep ?? {};
          ack(greet?.() ?? null, friend === socket, stays, socket.account?.greet?.() ?? null);
        });
      });
    });
    const client = await object.join(transport);
    await client.ask("keep");
    await client.ask("keep");
    expect(await client.ask("use")).toEqual(['43["called",true,true,"hello ann"]']);
    expect(warnings).toEqual(
      [
        "socket.data.deep.greet cannot be stored (a function)",
        "socket.data.deep.friend cannot be stored (an instance of Socket)",
        "socket.account cannot be stored (an instance of Account)",
      ].map((what) => `socket.io-edge: ${what} and is gone once the object has slept; keep plain data there`),
    );
    await object.sleep();
    expect(await client.ask("use")).toEqual(["43[null,false,true,null]"]);
  });

  it("may be restored by listeners of connection when it could not be stored", async () => {
    const object = new TalkObject(`kept again ${transport}`, (io) => {
      io.on("connection", (it) => {
        const socket = it as typeof it & { account?: Account };
        socket.account = new Account();
        socket.on("use", (ack) => ack(socket.account?.greet()));
      });
    });
    const client = await object.join(transport);
    await object.sleep();
    expect(await client.ask("use")).toEqual(['43["hello ann"]']);
  });
});
