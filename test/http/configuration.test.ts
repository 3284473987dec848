import { expect, it } from "vitest";
import { bundle, startWorker } from "../support/edge.ts";
import { http } from "../support/http.ts";
import { pathOf } from "../support/raw-session.ts";

const worker = (isExported: boolean) => `
import { defineServer } from "../../src/index.ts";
const server = defineServer({}, () => {});
${isExported ? "export " : ""}class SessionObject extends server.SessionObject {}
export default server.app;
`;

const withBinding =
  /there is no Durable Object namespace "SESSIONS"; export the class .*\(export class SessionObject extends .*\).*\[\[durable_objects\.bindings\]\] name = "SESSIONS" class_name = "SessionObject" and \[\[migrations\]\] tag = "v1" new_sqlite_classes = \["SessionObject"\]/;

it.each<[string, boolean, Parameters<typeof startWorker>[1], RegExp]>([
  ["no binding and no exported class", false, {}, withBinding],
  ["no binding, and a class without a migration", true, {}, withBinding],
  [
    "a migration to the old storage",
    true,
    { SESSIONS: { className: "SessionObject", useSQLite: false } },
    /the object needs SQLite storage; .* new_sqlite_classes = \["SessionObject"\] instead of new_classes/,
  ],
])("the log says in one sentence what to add for %s", async (_what, isExported, objects, sentence) => {
  const server = await startWorker(await bundle(worker(isExported)), objects);
  try {
    for (const transport of ["polling", "websocket"]) {
      const headers = transport === "websocket" ? { upgrade: "websocket", connection: "upgrade" } : {};
      const { status, body } = await http(server, pathOf({ EIO: "4", transport }), { headers });
      expect([status, body]).toEqual([500, "Internal Server Error"]); // the client is not told the reason
    }
    await expect
      .poll(() => server.complaints.filter((line) => sentence.test(line)).length, { timeout: 5_000 })
      .toBeGreaterThanOrEqual(2);
  } finally {
    await server.close();
  }
});
