import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/** A server that pings so rarely that an object with thousands of clients sleeps until a message wakes it. */
const server = defineServer({ pingInterval: 200_000 }, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
