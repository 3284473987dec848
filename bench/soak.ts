import { startEdge } from "../test/support/edge.ts";
import { startOfficial } from "../test/support/official.ts";
import { type SoakOptions, soak } from "../test/support/soak.ts";

/*
 * The long soak: node bench/soak.ts [messages]. Forty stock clients, half polling, half WebSocket, exchange numbered
 * messages both ways while the object is hibernated several times a second, then while it is restarted.
 */
const messages = Number(process.argv[2] ?? 20_000);
const base = { clients: 40, messages, seed: Number(process.env.SEED ?? 1), limitMs: 600_000 };
const rounds: [string, string, SoakOptions][] = [
  ["hibernated", "default", { ...base, interruption: "hibernate", between: [50, 300], hasRetries: false }],
  [
    "restarted, with recovery",
    "recovery",
    { ...base, interruption: "close", between: [700, 2_000], hasRetries: true },
  ],
];

const control = await startOfficial("soak");
console.log(
  "Socket.IO on Node, undisturbed:",
  await soak(control, { ...rounds[0]![2], interruption: "none" }),
);
await control.close();
for (const [name, variant, options] of rounds) {
  const server = await startEdge("soak", variant);
  console.log(`${name}:`, await soak(server, options));
  for (const complaint of new Set(server.complaints)) console.log("  the runtime said:", complaint);
  await server.close();
}
