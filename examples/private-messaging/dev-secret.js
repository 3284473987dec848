/** Writes a secret for `wrangler dev` beside the wrangler.toml of the folder that is named, unless there is one. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = join(process.argv[2] ?? ".", ".dev.vars");
if (!existsSync(file)) writeFileSync(file, `SECRET=${crypto.randomUUID()}\n`);
