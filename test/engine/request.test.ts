import { describe, expect, it } from "vitest";
import { toQuery, toRequest } from "../../src/engine/request.ts";

describe("the query of a request", () => {
  it("is a plain object in which no parameter name reaches a prototype", () => {
    const query = toQuery("https://a/?EIO=4&__proto__=x&__proto__[a]=1&constructor=y&a=1&a=2");
    expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
    expect(Object.entries(query)).toEqual([
      ["EIO", "4"],
      ["__proto__", "x"],
      ["__proto__[a]", "1"],
      ["constructor", "y"],
      // The result is that of Object.fromEntries(url.searchParams), which Node uses.
      ["a", "2"],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it("may be assigned, as the headers may", () => {
    const request = toRequest({ method: "GET", url: "https://a/?b=1", headers: [] });
    request._query = { c: "2" };
    request.headers = new Headers({ d: "3" });
    expect([request._query, request.headers.get("d")]).toEqual([{ c: "2" }, "3"]);
  });
});
