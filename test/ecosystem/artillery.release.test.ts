import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { run, workerWithoutClient } from "../package/pack.ts";
import { Project } from "./project.ts";

/** It is nearly a thousand packages. */
const LIMIT_MS = 900_000;

let project: Project | undefined;
afterAll(() => project?.remove());

interface Report {
  aggregate: { counters: Record<string, number> };
}

it(
  "Artillery: every virtual user hears what it has said",
  async () => {
    project = await Project.with({ artillery: "^2" });
    await project.follow("Artillery");
    await project.write("src/worker.ts", await workerWithoutClient());
    const { url } = await project.start();
    const command = ["run", "--target", url, "--output", "report.json", "load.yml"];
    await run(join(project.folder, "node_modules/.bin/artillery"), command, project.folder);
    const report = JSON.parse(await readFile(join(project.folder, "report.json"), "utf8")) as Report;
    expect(report.aggregate.counters).toMatchObject({
      "socketio.emit": 4,
      "vusers.completed": 4,
      "vusers.failed": 0,
    });
  },
  LIMIT_MS,
);
