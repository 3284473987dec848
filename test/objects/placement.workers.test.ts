import { describe, expect, it, vi } from "vitest";
import { defineServer } from "../../src/http/define-server.ts";
import { hash, rank } from "../../src/objects/placement/hash.ts";
import { toAddress } from "../../src/objects/placement/object-name.ts";
import { Placement } from "../../src/objects/placement/placement.ts";
import {
  byDistance,
  parseShard,
  type ShardsOption,
  toShardNames,
} from "../../src/objects/placement/shards.ts";
import { shardOfSocket, toSocketId } from "../../src/objects/placement/socket-code.ts";
import { randomId } from "../../src/shared/ids.ts";
import { spreadOver } from "../fixtures/worker.ts";
import { env } from "./support.ts";

const keys = Array.from({ length: 2_000 }, (_, i) => `room ${i}`);
const nobody = { key: undefined, address: "192.0.2.1", agent: "browser", where: undefined };

function placement(shards?: ShardsOption): Placement {
  return new Placement({ binding: "SPREAD", className: "SpreadObject" }, shards);
}

const namesOf = (places: readonly { shard: string }[]) => places.map(({ shard }) => shard);

describe("the option shards", () => {
  it("names objects by their number, or by location hint and number", () => {
    expect(toShardNames()).toEqual(["0"]);
    expect(toShardNames(3)).toEqual(["0", "1", "2"]);
    expect(toShardNames({ weur: 2, "apac-ne": 1 })).toEqual(["weur-0", "weur-1", "apac-ne-0"]);
    for (const name of toShardNames({ weur: 64, me: 1 })) expect(parseShard(name)).toBeDefined();
  });

  it("names objects as a number does where a region has no name, so that a server can move to regions", () => {
    expect(toShardNames({ "": 2, weur: 1 })).toEqual([...toShardNames(2), "weur-0"]);
  });

  it.each([0, 65, 1.5, Number.NaN, {}, { mars: 1 }, { weur: 0 }, { "": 0 }])(
    "refuses %j when the server is defined",
    (shards) => {
      expect(() => defineServer({ shards: shards as ShardsOption }, () => {})).toThrow("the option shards");
    },
  );

  it.each(["64", "-1", "00", "1x", "weur", "weur-", "mars-1", "weur-64", "", "main#1"])(
    "does not accept %j as the name of a shard",
    (shard) => {
      expect(parseShard(shard)).toBeUndefined();
      expect(() => spreadOver.emitter(env, { shard })).toThrow(`the option shards names no "${shard}"`);
      expect(() => spreadOver.object(env, { shard })).toThrow(`the option shards names no "${shard}"`);
    },
  );

  it("names the shards that an emitter takes, while methods can be called on those of earlier deploys too", () => {
    for (const shard of ["3", "63", "weur-0"]) {
      expect(() => spreadOver.emitter(env, { shard })).toThrow(`the option shards names no "${shard}"`);
      expect(() => spreadOver.object(env, { shard })).not.toThrow();
    }
    for (const shard of ["0", "1", "2"]) expect(() => spreadOver.emitter(env, { shard })).not.toThrow();
  });
});

describe("a new session", () => {
  it("goes to the shard of its key, and few keys change their shard when shards are added", () => {
    const first = (shards: number) =>
      keys.map((key) => placement(shards).forNew(env, "main", { ...nobody, key })[0]!.shard);
    const [eight, nine] = [first(8), first(9)];
    const sizes = toShardNames(8).map((shard) => eight.filter((it) => it === shard).length);
    expect(Math.min(...sizes)).toBeGreaterThan(0.8 * (keys.length / 8));
    expect(Math.max(...sizes)).toBeLessThan(1.2 * (keys.length / 8));
    const moved = keys.filter((_, i) => eight[i] !== nine[i]);
    expect(moved.length).toBeLessThan(1.3 * (keys.length / 9));
    expect(keys.filter((_, i) => eight[i] !== nine[i] && nine[i] !== "8")).toEqual([]);
  });

  it("goes to one shard for each address and user agent, and is offered to two others", () => {
    const places = placement(8).forNew(env, "main", nobody);
    expect(new Set(namesOf(places)).size).toBe(3);
    expect(namesOf(placement(8).forNew(env, "main", nobody))).toEqual(namesOf(places));
    const others = keys.map((address) => placement(8).forNew(env, "main", { ...nobody, address })[0]!.shard);
    expect(new Set(others).size).toBe(8);
  });

  it.each([
    ["Lisbon", { longitude: "-9.14", latitude: "38.72", continent: "EU" }, "weur"],
    ["Warsaw", { longitude: "21.01", latitude: "52.23", continent: "EU" }, "eeur"],
    ["New York", { longitude: "-74.0", latitude: "40.71", continent: "NA" }, "enam"],
    ["San Francisco", { longitude: "-122.42", latitude: "37.77", continent: "NA" }, "wnam"],
    ["São Paulo", { longitude: "-46.63", latitude: "-23.55", continent: "SA" }, "sam"],
    ["Auckland, across the date line", { longitude: "174.76", latitude: "-36.85", continent: "OC" }, "oc"],
    ["Tokyo", { longitude: "139.69", latitude: "35.69", continent: "AS" }, "apac-ne"],
    ["Singapore", { longitude: "103.8", latitude: "1.35", continent: "AS" }, "apac-se"],
    ["Johannesburg", { longitude: "28.05", latitude: "-26.2", continent: "AF" }, "afr"],
    ["Dubai", { longitude: "55.27", latitude: "25.2", continent: "AS" }, "me"],
    ["Oceania, no more is known", { continent: "OC" }, "oc"],
  ])("goes from %s to the nearest region that is configured", (_, where, region) => {
    const all = {
      wnam: 1,
      enam: 1,
      sam: 1,
      weur: 1,
      eeur: 1,
      oc: 1,
      afr: 1,
      me: 1,
      "apac-ne": 1,
      "apac-se": 1,
    };
    expect(placement(all).forNew(env, "main", { ...nobody, where })[0]!.shard).toBe(`${region}-0`);
    const two = namesOf(
      placement({ weur: 2, enam: 1 }).forNew(env, "main", {
        ...nobody,
        where: { longitude: "2", latitude: "48" },
      }),
    );
    expect(two.slice(0, 2).sort()).toEqual(["weur-0", "weur-1"]);
    expect(two[2]).toBe("enam-0");
  });

  it.each([
    [{ longitude: "0", latitude: "0", continent: "AF" }, "weur-0"],
    [{ longitude: "-77", latitude: "39", continent: "NA" }, "enam-0"],
  ])("goes to objects without a region last (%j)", (where, first) => {
    const places = placement({ "": 4, weur: 1, enam: 1 }).forNew(env, "main", { ...nobody, where });
    expect(places[0]!.shard).toBe(first);
    expect(parseShard(places[2]!.shard)!.region).toBe(0);
  });

  it.each([
    [{ longitude: "-77.04", latitude: "38.9" }, "enam"],
    [{ continent: "EU" }, "weur"],
  ])("goes where `cf` of its request says (%j)", async (cf, region) => {
    const { app } = defineServer(
      { bindings: { sessions: "SPREAD" }, shards: { weur: 1, enam: 1 } },
      () => {},
    );
    const get = vi.spyOn(env.SPREAD, "get");
    try {
      const init = { cf } as RequestInit;
      await app.fetch(new Request("https://example.com/socket.io/?EIO=4&transport=polling", init), env);
      expect(get.mock.calls[0]?.[1]).toEqual({ locationHint: region });
    } finally {
      get.mockRestore();
    }
  });

  it("may go to any region when its origin is unknown or when it has a key", () => {
    const shards = ["weur-0", "enam-0"];
    for (const where of [undefined, {}, { continent: "T1" }, { longitude: "x", latitude: "1" }]) {
      expect(byDistance(shards, where)).toEqual(shards);
    }
    const where = { longitude: "2", latitude: "48" };
    const first = keys.map(
      (key) => placement({ weur: 1, enam: 1 }).forNew(env, "main", { ...nobody, key, where })[0]!.shard,
    );
    expect(new Set(first)).toEqual(new Set(shards));
  });

  it("passes a location hint on first access, which fixes the place of an object", () => {
    const get = vi.spyOn(env.SPREAD, "get");
    try {
      placement({ weur: 1 }).finder(env)();
      placement(2).finder(env)();
      expect(get.mock.calls.map(([, options]) => options)).toEqual([{ locationHint: "weur" }, {}]);
    } finally {
      get.mockRestore();
    }
  });

  it("goes to another shard when one is full, and is refused with 503 when three are", async () => {
    const open = async () => {
      const url = "https://example.com/socket.io/?EIO=4&transport=polling&name=full&key=same";
      const response = await spreadOver.app.request(url, {}, env);
      return {
        status: response.status,
        retry: response.headers.get("retry-after"),
        body: await response.text(),
      };
    };
    // Each may have five sessions.
    const answers = [];
    for (let i = 0; i < 15; i++) answers.push((await open()).status);
    expect(answers).toEqual(Array(15).fill(200));
    expect(await open()).toEqual({ status: 503, retry: "5", body: "" });
  });

  it.each(["club#1", "club#2", "club%231", "club#1#1"])(
    "never goes to a shard of another server, even if a client calls its own one %j",
    async (name) => {
      const idFromName = vi.spyOn(env.SPREAD, "idFromName");
      try {
        const query = new URLSearchParams({ EIO: "4", transport: "polling", name, key: "same" });
        const response = await spreadOver.app.request(`https://example.com/socket.io/?${query}`, {}, env);
        expect(response.status).toBe(200);
        const reached = idFromName.mock.calls.map(([objectName]) => toAddress(objectName).name);
        expect(new Set(reached)).toEqual(new Set([name]));
      } finally {
        idFromName.mockRestore();
      }
    },
  );

  it("is refused with 403 when shardBy returns no valid key", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => {});
    const url = "https://example.com/socket.io/?EIO=4&transport=polling&name=no-key";
    expect((await spreadOver.app.request(url, {}, env)).status).toBe(403);
    expect(error.mock.lastCall?.[0]).toContain("shardBy failed");
    error.mockRestore();
  });
});

describe("a socket's id", () => {
  it.each(toShardNames({ wnam: 64, "apac-se": 2 }).concat(toShardNames(64)))(
    "names its shard (%s)",
    (shard) => {
      const ids = Array.from({ length: 20 }, () => toSocketId(shard));
      expect(new Set(ids).size).toBe(20);
      for (const id of ids) {
        expect(id).toMatch(/^[\w-]{20}$/);
        expect(shardOfSocket(id)).toBe(shard);
      }
    },
  );

  it("cannot be mistaken for another room, be it an id with one letter changed or a room that clients invent", () => {
    const id = toSocketId("7");
    const changed = Array.from(
      id,
      (letter, i) => id.slice(0, i) + (letter === "A" ? "B" : "A") + id.slice(i + 1),
    );
    for (const room of [...changed, "", "lobby", `${id}x`, id.slice(1), `/nsp#${id}`, "é".repeat(20)]) {
      expect(shardOfSocket(room)).toBeUndefined();
    }
    const made = Array.from({ length: 20_000 }, () => randomId());
    expect(made.filter((room) => shardOfSocket(room) !== undefined).length).toBeLessThan(4);
  });
});

describe("the hash", () => {
  it("never changes, since sessions were placed by it", () => {
    expect(["", "a", "room 1\n0", "ü🙂"].map(hash)).toEqual([2872998923, 444641715, 2450185889, 1477507128]);
    expect(rank("room 1", ["0", "1", "2", "3"])).toEqual(["3", "2", "0", "1"]);
  });
});
