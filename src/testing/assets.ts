import { readFile } from "node:fs/promises";
import type { ModuleRule } from "./tools.ts";

/** A file that the Worker imports and that is not code. */
export interface Asset {
  readonly type: AssetType;
  readonly path: string;
  readonly contents: string | Uint8Array<ArrayBuffer>;
}

type AssetType = (typeof ASSET_TYPES)[number];
const ASSET_TYPES = ["Text", "Data", "CompiledWasm"] as const;

/** The files that wrangler does not treat as code, unless it is configured otherwise. */
const DEFAULT_RULES: readonly ModuleRule[] = [
  { type: "Text", include: ["**/*.txt", "**/*.html", "**/*.sql"] },
  { type: "Data", include: ["**/*.bin"] },
  { type: "CompiledWasm", include: ["**/*.wasm", "**/*.wasm?module"] },
];

/** Says what an imported file is. */
export class AssetRules {
  readonly #rules: readonly { readonly type: AssetType; readonly pattern: RegExp }[];

  /**
   * `rules` are those that wrangler has read, its own among them. As there, a rule is the last one of its type unless
   * it says `fallthrough`, and rules for code change nothing, since code is bundled.
   */
  constructor(rules = DEFAULT_RULES) {
    const done = new Set<string>();
    this.#rules = rules.flatMap(({ type, include, fallthrough }) => {
      const known = ASSET_TYPES.find((it) => it === type);
      if (known === undefined || done.has(type)) return [];
      if (fallthrough !== true) done.add(type);
      return include.map((glob) => ({ type: known, pattern: toPattern(glob) }));
    });
  }

  /** Undefined for code. */
  typeOf(path: string): AssetType | undefined {
    return this.#rules.find(({ pattern }) => pattern.test(path))?.type;
  }

  async read(path: string, { file, type }: { file: string; type: AssetType }): Promise<Asset> {
    const contents = type === "Text" ? await readFile(file, "utf8") : new Uint8Array(await readFile(file));
    return { type, path, contents };
  }
}

/** A glob of wrangler: `*` stands for a part of a name, and `**` for any number of folders. */
function toPattern(glob: string): RegExp {
  const source = glob.replace(/\*\*\/|\*\*|\*|[.+?^${}()|[\]\\]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    return part === "*" ? "[^/]*" : `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}
