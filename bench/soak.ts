import { soakThroughAll } from "../test/red/support/long-soak.ts";

/*
 * The long soak: node bench/soak.ts [minutes]. Forty stock clients, half on polling and half on WebSocket, exchange
 * numbered messages in both directions while the object is hibernated, its process is restarted, and every connection
 * is cut. Then they leave, and the benchmark checks what is left of them. The server is workerd with a heap of 128 MB.
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
