import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

const STARTS_WITHIN_MS = 15_000;

/**
 * A server that is measured. It is a process of its own, so that its CPU time and memory are not shared with anything
 * else.
 */
export interface ServerProcess {
  readonly name: string;
  readonly port: number;
  /** The CPU time that the process has used so far in µs: user and system, of all threads. */
  cpuUs(): number;
  /** The memory that the process holds, in bytes. */
  rssBytes(): number;
  /** Settles when the process has ended, whether it was stopped or not. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** Starts a program and waits until it listens. */
export async function startProcess(
  name: string,
  port: number,
  command: string,
  args: readonly string[],
  onOutput?: (text: string) => void,
): Promise<ServerProcess> {
  // Each connection of workerd takes two open files, so the limit is raised as far as this machine allows.
  const child = spawn("/bin/sh", ["-c", 'ulimit -n $(ulimit -Hn); exec "$0" "$@"', command, ...args], {
    stdio: onOutput === undefined ? ["ignore", "inherit", "inherit"] : ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (data) => onOutput?.(String(data)));
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    await untilListening(name, child, port);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const { pid = 0 } = child;
  return {
    name,
    port,
    cpuUs: () => cpuUs(pid),
    rssBytes: () => rssBytes(pid),
    exited,
    stop: () => {
      child.kill("SIGKILL");
      return exited;
    },
  };
}

/** How many files a process may have open on this machine. */
export function maxOpenFiles(): number {
  const line = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  return Number(line?.[1] ?? 1_024);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function untilListening(name: string, child: ChildProcess, port: number): Promise<void> {
  const end = Date.now() + STARTS_WITHIN_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null) break;
    if (await isListening(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${name} does not listen on port ${port}; its own output above says why`);
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}

/** Linux counts the time of each thread in nanoseconds; /proc/PID/stat has the same figure in steps of 10 ms. */
function cpuUs(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let total = 0;
  for (const task of readdirSync(tasks)) {
    total += Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]);
  }
  return total / 1_000;
}

function rssBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) * 1_024;
}
