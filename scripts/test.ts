/**
 * This is `npm test`: the linter and the compiler run beside the tests, which wait for servers most of the time.
 * Arguments are passed to vitest.
 */
import { spawn } from "node:child_process";

interface Result {
  code: number;
  output: string;
}

function run(command: string, args: readonly string[], stdio: "inherit" | "pipe"): Promise<Result> {
  const child = spawn(command, args, { stdio, shell: process.platform === "win32" });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text: Buffer) => (output += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

const projects = ["--project", "workers", "--project", "node"];
const [lint, tests] = await Promise.all([
  run("npm", ["run", "lint"], "pipe"),
  run("vitest", ["run", ...projects, ...process.argv.slice(2)], "inherit"),
]);
console.log(lint.code === 0 ? "Linter and compiler: nothing to report" : lint.output);
process.exitCode = lint.code || tests.code;
