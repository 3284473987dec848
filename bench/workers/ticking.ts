import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/**
 * A server that pings often enough for a benchmark to wait for it, and rarely enough for thousands of clients to
 * connect in between.
 */
const server = defineServer({ pingInterval: 20_000 }, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
