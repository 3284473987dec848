import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";
import { counted, withCounts } from "./counts.ts";

const server = defineServer({}, setup);

export class SessionObject extends counted(server.SessionObject) {}

export default withCounts(server.app);
