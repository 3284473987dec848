import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Returns the full path of a file that an option names. @throws Error when it does not exist */
export function existingFile(path: string | URL, option: string): string {
  const isUrl = path instanceof URL || path.startsWith("file:");
  const file = isUrl ? fileURLToPath(path) : resolve(path);
  if (existsSync(file)) return file;
  throw new Error(`\`${option}\`: there is no file ${file}; a path counts from the working directory`);
}
