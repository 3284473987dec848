import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { root } from "./pack.ts";

const exec = promisify(execFile);
const OWN_BIN = join(root, "node_modules/.bin");
const INSTALLATION_MS = 300_000;
const START_MS = 60_000;

/** The executable of a major version of Node: the one of this repository, or one on the PATH. */
export async function findNode(major: number): Promise<string | undefined> {
  for (const folder of [OWN_BIN, ...(process.env.PATH ?? "").split(delimiter)]) {
    const node = join(folder, "node");
    if (!existsSync(node)) continue;
    const { stdout } = await exec(node, ["--version"]);
    if (stdout.startsWith(`v${major}.`)) return node;
  }
  return undefined;
}

/** A development server that is running. */
export interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

/** Runs commands as a user with one version of Node would, without the tools of this repository. */
export class Shell {
  readonly #env: NodeJS.ProcessEnv;

  private constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  /** @param bin a folder that does not exist yet */
  static async withNode(node: string, bin: string): Promise<Shell> {
    await mkdir(bin);
    await symlink(node, join(bin, "node"));
    const path = (process.env.PATH ?? "")
      .split(delimiter)
      .filter((folder) => !folder.includes("node_modules"));
    // The variables of `npm run` would make npm believe that it is in this repository.
    const env = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|INIT_CWD|NODE_ENV|NODE_OPTIONS|VITEST)/.test(name),
    );
    return new Shell({
      ...Object.fromEntries(env),
      PATH: [bin, ...path].join(delimiter),
      WRANGLER_SEND_METRICS: "false",
      NO_COLOR: "1",
    });
  }

  /** Runs a command, and returns what it printed. */
  async run(folder: string, command: string, ...args: string[]): Promise<string> {
    try {
      const options = { cwd: folder, env: this.#env, maxBuffer: 1 << 26, timeout: INSTALLATION_MS };
      const { stdout, stderr } = await exec(command, args, options);
      return stdout + stderr;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command} ${args.join(" ")} failed\n${stdout}\n${stderr}`, { cause: error });
    }
  }

  /** Starts a server that keeps running, and waits for the address that it prints. */
  async start(folder: string, command: string, ...args: string[]): Promise<Running> {
    // The server is in a process group of its own, so that its child processes end with it.
    const child = spawn(command, args, { cwd: folder, env: this.#env, detached: true });
    const stop = () => end(child);
    try {
      return { url: await addressOf(child), stop };
    } catch (error) {
      await stop();
      throw error;
    }
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const fail = (why: string) => reject(new Error(`${why}\n${printed}`));
    const timer = setTimeout(fail, START_MS, "the server printed no address in time");
    const read = (text: Buffer) => {
      printed += text;
      const [, address] = printed.match(/Ready on (http:\/\/\S+)/) ?? [];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("exit", (code) => fail(`the server ended with code ${code}`));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, "SIGTERM");
  await ended;
}
