#!/usr/bin/env node
import { parseArguments, USAGE, UsageError } from "./arguments.ts";
import { createApp, ownVersion } from "./create-app.ts";

const NEXT_STEPS = `
  npm install
  npm run dev      then open http://localhost:8787 in two tabs
  npm test         two clients talk, and the server sleeps in between
  npm run deploy   puts it on your Cloudflare account`;

async function answer(args: readonly string[]): Promise<string> {
  const command = parseArguments(args);
  if (command.name !== "init") return command.name === "help" ? USAGE : ownVersion();
  const { folder, language } = command;
  return `Created ${await createApp(folder, language)}. What comes next:\n\n  cd ${folder}${NEXT_STEPS}`;
}

try {
  console.log(await answer(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
