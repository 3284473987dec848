import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/** Pings so rarely that an object with thousands of clients is left asleep until a message wakes it. */
const server = defineServer({ pingInterval: 200_000 }, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
