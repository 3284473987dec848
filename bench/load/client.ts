import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answer, Tasks } from "./process.ts";

const LONGEST_TASK_MS = 180_000;

/** A load generator in a process of its own, connected to one server. */
export class Load {
  readonly #child: ChildProcess;
  #lastId = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), { serialization: "advanced" });
    this.#child.setMaxListeners(0);
  }

  /** Runs a task in that process, and waits for its result. */
  run<Name extends keyof Tasks>(name: Name, ...args: Parameters<Tasks[Name]>): ReturnType<Tasks[Name]> {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error(`"${name}" took too long`)), LONGEST_TASK_MS);
      const onExit = () => finish(new Error(`the load generator ended during "${name}"`));
      const onMessage = (message: unknown) => {
        const { id: answered, error, result } = message as Answer;
        if (answered === id) finish(error === undefined ? undefined : new Error(error), result);
      };
      const finish = (error: Error | undefined, result?: unknown) => {
        clearTimeout(timer);
        this.#child.off("message", onMessage);
        this.#child.off("exit", onExit);
        if (error === undefined) resolve(result);
        else reject(error);
      };
      this.#child.on("message", onMessage);
      this.#child.once("exit", onExit);
      this.#child.send({ id, name, args });
    });
    return answer as ReturnType<Tasks[Name]>;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}
