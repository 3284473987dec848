/** CPU of the server for an echo, a delivery and a polling round trip, against a bare Worker and object. */
import { Load } from "./load/client.ts";
import { type Comparison, type Contest, type Contestant, compare } from "./support/compare.ts";
import { startNode, startWorkerd } from "./support/servers.ts";

const ECHO = { bar: 1.25, sockets: 50, each: 60, window: 2 };
const FAN_OUT = { bar: 1.1, frame: '42["all","a line of a chat, of usual length"]', deliveries: 10_000 };
const POLLING = { bar: 1.25, clients: 40, each: 4 };

/** Our server's Worker; another file may be compared in its place. */
const OURS = process.env.BENCH_WORKER ?? "ours";

export async function benchEcho(rounds: number): Promise<Comparison> {
  return withContest(async (contest, all) => {
    for (const { load, server } of all) await load.run("openSockets", server.port, ECHO.sockets);
    return compare("echo, a message", ECHO.bar, contest, rounds, ({ load }) =>
      load.run("echo", ECHO.each, ECHO.window),
    );
  });
}

export async function benchFanOut(rounds: number, sockets: number): Promise<Comparison> {
  return withContest(async (contest, all) => {
    for (const { load, server } of all) await load.run("openSockets", server.port, sockets);
    const what = `fan-out to ${sockets}, a delivery`;
    return compare(what, FAN_OUT.bar, contest, rounds, ({ load }) =>
      load.run("broadcast", FAN_OUT.frame, FAN_OUT.deliveries / sockets),
    );
  });
}

export async function benchPolling(rounds: number): Promise<Comparison> {
  return withContest(async (contest, all) => {
    for (const { load, server } of all) await load.run("openPolls", server.port, POLLING.clients);
    return compare("polling, a round trip", POLLING.bar, contest, rounds, ({ load }) =>
      load.run("roundTrips", POLLING.each),
    );
  });
}

/** Four servers, each with a load generator of its own; all are gone when `run` has ended. */
async function withContest(
  run: (contest: Contest, all: readonly Contestant[]) => Promise<Comparison>,
): Promise<Comparison> {
  const started: Contestant[] = [];
  const enter = async (server: ReturnType<typeof startNode>): Promise<Contestant> => {
    const contestant = { server: await server, load: new Load() };
    started.push(contestant);
    return contestant;
  };
  try {
    const contest = {
      ours: await enter(startWorkerd(OURS)),
      control: await enter(startWorkerd("control")),
      again: await enter(startWorkerd("control", "control again")),
      ...(process.env.BENCH_NODE === "0" ? {} : { node: await enter(startNode()) }),
    };
    return await run(contest, started);
  } finally {
    for (const { load } of started) load.stop();
    await Promise.all(started.map(({ server }) => server.stop()));
  }
}
