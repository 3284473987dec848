import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/** Pings often enough that a benchmark can wait for it, and rarely enough for thousands to connect in between. */
const server = defineServer({ pingInterval: 20_000 }, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
