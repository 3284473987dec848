/** The command that the user has typed. */
export type Command = { name: "help" | "version" } | { name: "init"; folder: string; language: "ts" | "js" };

export const USAGE = `Usage: npx socket.io-edge init <folder> [--js]

Makes a Socket.IO server for Cloudflare Workers in a new folder, with a page, a test and all that deploys it.

  --js        JavaScript in place of TypeScript
  --version   the version of socket.io-edge
  --help      this text`;

/** A mistake in the command line. The message says what to type instead. */
export class UsageError extends Error {}

/**
 * Reads a command line.
 * @throws UsageError for an unknown command or option, and for `init` without a folder.
 */
export function parseArguments(args: readonly string[]): Command {
  const [command, ...rest] = args;
  if (command === undefined || command === "help" || args.includes("--help") || args.includes("-h")) {
    return { name: "help" };
  }
  if (command === "--version" || command === "-v") return { name: "version" };
  if (command !== "init") throw new UsageError(`There is no command "${command}".\n\n${USAGE}`);

  const unknown = rest.find((argument) => argument.startsWith("-") && argument !== "--js");
  if (unknown !== undefined) throw new UsageError(`There is no option ${unknown}.\n\n${USAGE}`);
  const folders = rest.filter((argument) => argument !== "--js");
  const [folder] = folders;
  if (folder === undefined) throw new UsageError("Name the folder to make: npx socket.io-edge init my-app");
  if (folders.length > 1) {
    throw new UsageError(`One folder at a time, please; these are ${folders.length}: ${folders.join(", ")}`);
  }
  return { name: "init", folder, language: rest.includes("--js") ? "js" : "ts" };
}
