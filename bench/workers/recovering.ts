import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

/** A server with connection state recovery, whose log is the only thing that costs rows for each turn that emits. */
const server = defineServer({ connectionStateRecovery: {} }, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
