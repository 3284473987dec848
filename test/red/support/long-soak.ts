import { startGate } from "../../support/gate.ts";
import { type SoakOptions, type SoakReport, soak } from "../../support/soak.ts";
import { until } from "./raid.ts";
import { Victim } from "./victim.ts";

export interface Remains {
  /** The rows that belong to clients, by kind. */
  rows: Record<string, number>;
  alarm: number | null;
  /** The memory of the isolate in bytes before the first client connected, and after the last one left. */
  heap: [before: number, after: number];
  /** The memory of the process in bytes, at the same times. */
  rss: [before: number, after: number];
}

/**
 * Forty stock clients exchange messages with a server whose object is hibernated and restarted, and whose connections
 * are cut, all the time. Then they leave, and the test checks what is left of them.
 */
export async function soakThroughAll(
  options: Pick<SoakOptions, "durationMs" | "seed">,
): Promise<{ report: SoakReport; remains: Remains; isDown: boolean; output: string }> {
  const victim = await Victim.start("recovery", "soak");
  const gate = await startGate(victim);
  gate.open();
  try {
    await victim.tick();
    const before = { heap: await victim.heap(), rss: victim.rss() };
    const report = await soak(
      {
        url: gate.url,
        // No restart is more thorough than ending the process.
        evict: (sockets) => (sockets === "close" ? victim.restart() : victim.evict(sockets)),
        cut: () => gate.cut(),
      },
      {
        ...options,
        clients: 40,
        messages: 0,
        interruption: "all",
        between: [200, 1_500],
        hasRetries: "all",
        limitMs: (options.durationMs ?? 0) + 90_000,
      },
    );
    await until("the end of all sockets", async () => (await victim.facts()).sockets === 0, 20_000);
    await victim.settle();
    const { rows, alarm } = await victim.facts();
    for (const [kind, count] of Object.entries(rows))
      if (count === 0 || /sio_meta|sio_a$/.test(kind)) delete rows[kind];
    const remains: Remains = {
      rows,
      alarm,
      heap: [before.heap, await victim.heap()],
      rss: [before.rss, victim.rss()],
    };
    return { report, remains, isDown: victim.isDown, output: victim.output };
  } finally {
    await gate.close();
    await victim.stop();
  }
}
