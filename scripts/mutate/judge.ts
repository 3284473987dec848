import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The tests for each folder of src, with the quickest first. */
const STAGES: Record<string, readonly (readonly string[])[]> = {
  engine: [
    ["node", "test/engine"],
    ["workers", "test/objects"],
    ["node", "test/wire"],
  ],
  transports: [
    ["node", "test/wire", "test/engine"],
    ["workers", "test/objects"],
  ],
  server: [
    ["node", "test/server"],
    ["workers", "test/objects"],
    ["node", "test/wire", "test/contract"],
  ],
  objects: [
    ["workers", "test/objects"],
    ["node", "test/wire", "test/contract", "test/http"],
  ],
  http: [
    ["workers", "test/http"],
    ["node", "test/http", "test/wire"],
  ],
  client: [["node", "test/client"]],
};

/** The time in ms after which a run is considered to be in an endless loop. */
const LONGEST_RUN_MS = 240_000;

/** What detected a mutant: a test with its message, or another outcome; undefined when nothing did. */
export type Verdict = string | undefined;

interface Report {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs the tests for a folder, one stage after the other, until one of them fails. */
export class Judge {
  #running: ChildProcess | undefined;

  static judges(folder: string): boolean {
    return folder in STAGES;
  }

  async judge(folder: string): Promise<Verdict> {
    const scratch = await mkdtemp(join(tmpdir(), "mutate-"));
    try {
      for (const [project = "", ...files] of STAGES[folder] ?? []) {
        const verdict = await this.#run(join(scratch, "report.json"), ["--project", project, ...files]);
        if (verdict !== undefined) return verdict;
      }
      return undefined;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** Ends the running tests. */
  stop(): void {
    const pid = this.#running?.pid;
    if (pid === undefined) return;
    try {
      // vitest and its workers form a process group of their own.
      process.kill(-pid, "SIGKILL");
    } catch {
      // It had already ended.
    }
  }

  async #run(report: string, args: readonly string[]): Promise<Verdict> {
    await rm(report, { force: true });
    const output = ["--bail", "1", "--reporter", "json", "--outputFile", report];
    const child = spawn("node_modules/.bin/vitest", ["run", ...args, ...output], {
      detached: true,
      stdio: "ignore",
    });
    this.#running = child;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.stop();
    }, LONGEST_RUN_MS);
    const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
    clearTimeout(timer);
    this.#running = undefined;
    if (isLate) return `no end within ${LONGEST_RUN_MS} ms`;
    if (code === 0) return undefined;
    return readFile(report, "utf8").then(firstFailure, () => `vitest ended with code ${code}, and no report`);
  }
}

function firstFailure(json: string): string {
  const { testResults } = JSON.parse(json) as Report;
  for (const { assertionResults, message } of testResults) {
    const failed = assertionResults.find(({ status }) => status === "failed");
    if (failed) return `${failed.fullName}: ${firstLine(failed.failureMessages[0] ?? "")}`;
    if (message !== "") return firstLine(message);
  }
  return "an error outside of tests";
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").slice(0, 160);
}
