import { defineServer } from "../../src/index.ts";
import { setup } from "./app.ts";

const server = defineServer({}, setup);

export class SessionObject extends server.SessionObject {}

export default server.app;
