import { afterEach, expect, it, vi } from "vitest";
import { parseTarget } from "../../src/client/url.ts";

afterEach(() => vi.unstubAllGlobals());

it.each([
  [undefined, "https://shop.example/"],
  [{ forceNew: true }, "https://shop.example/"],
  ["", "https://shop.example/"],
  ["/admin", "https://shop.example/admin"],
  ["chat.example:8080", "https://chat.example:8080/"],
  ["//chat.example", "https://chat.example/"],
  ["http://chat.example/admin?token=1", "http://chat.example/admin?token=1"],
])("io(%j) on a page below the root means %s, whatever the page's path and query", (address, meant) => {
  vi.stubGlobal("location", new URL("https://shop.example/basket/chat?client=small#lobby"));
  const [url, { query }] = parseTarget<object>(address);
  expect(url.href).toBe(meant);
  expect(query).toBe(url.search);
});
