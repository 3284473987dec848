import { afterAll, beforeAll } from "vitest";
import { interopSuite } from "./interop-suite.ts";
import { type OfficialServer, startOfficialServer } from "./official-server.ts";

const servers: OfficialServer[] = [];

beforeAll(async () => {
  servers.push(
    await startOfficialServer({ maxHttpBufferSize: 2e6 }),
    await startOfficialServer({ connectionStateRecovery: {} }),
  );
});

afterAll(() => Promise.all(servers.map((server) => server.close())));

interopSuite("Socket.IO on Node", () => ({ url: servers[0]?.url ?? "", recoveryUrl: servers[1]?.url }));
