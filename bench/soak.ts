import { soakThroughAll } from "../test/red/support/long-soak.ts";

/*
 * The long soak: node bench/soak.ts [minutes]. Forty stock clients, half polling, half WebSocket, exchange numbered
 * messages both ways while the object is hibernated, its process ended and started again, and every connection cut.
 * Then they leave, and it is looked at what is left of them. The server is workerd with a heap of 128 MB.
 */
const minutes = Number(process.argv[2] ?? 10);
const { report, remains, output } = await soakThroughAll({
  durationMs: minutes * 60_000,
  seed: Number(process.env.SEED ?? 1),
});
console.log(report);
console.log("left behind:", remains);
for (const complaint of new Set(output.split("\n")))
  if (complaint !== "") console.log("the runtime said:", complaint);
