import { type Bundle, bundleHarness } from "./bundle.ts";

/** The entrypoint through which the kit talks to the Worker; only the kit has a binding to it. */
export const ENTRYPOINT = "SocketIoEdgeTesting";

/** A module in the form that miniflare accepts. */
interface WorkerModule {
  type: "ESModule" | "Text" | "Data" | "CompiledWasm";
  path: string;
  contents: string | Uint8Array<ArrayBuffer>;
}

const PLATFORM = "cloudflare:workers";
const APP = "app.js";
const HARNESS = `./inside/harness${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`;
const HEAD = "export default function (module, exports, require) {";

/** The modules of a Worker that can be renewed: a main module with proxies, and the user's module as a function. */
export async function renewableModules(
  bundle: Bundle,
  durableObjects: ReadonlySet<string>,
  secret: string,
): Promise<WorkerModule[]> {
  const exports = bundle.exports.map((name, i) => {
    const kind = durableObjects.has(name) ? "durableObject" : "export";
    return `const e${i} = harness.${kind}(${JSON.stringify(name)}); export { e${i} as ${name} };`;
  });
  return toModules(bundle, [
    harness(bundle, secret),
    ...exports,
    `export class ${ENTRYPOINT} extends platform.WorkerEntrypoint {`,
    "  fetch(request) { return harness.answer(request, { env: this.env, ctx: this.ctx }); }",
    "}",
  ]);
}

/** A Worker that returns the kind of each export. */
export async function probeModules(bundle: Bundle): Promise<WorkerModule[]> {
  return toModules(bundle, [
    harness(bundle, ""),
    "const { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } = platform;",
    "const kinds = harness.kinds({ DurableObject, WorkerEntrypoint, WorkflowEntrypoint });",
    "export default { fetch: () => Response.json(kinds) };",
  ]);
}

function harness(bundle: Bundle, secret: string): string {
  const imports = bundle.externals.map((path, i) => importOf(`* as m${i}`, path));
  const externals = bundle.externals.map((path, i) => `${JSON.stringify(path)}: m${i}`);
  return [
    importOf("* as platform", PLATFORM),
    importOf("load", `./${APP}`),
    importOf("{ Harness }", HARNESS),
    ...imports,
    `const harness = new Harness(load, { ${externals.join(", ")} }, ${JSON.stringify(secret)});`,
  ].join("\n");
}

function importOf(names: string, path: string): string {
  return `import ${names} from ${JSON.stringify(path)};`;
}

async function toModules(bundle: Bundle, lines: string[]): Promise<WorkerModule[]> {
  return [
    { type: "ESModule", path: "main.js", contents: await bundleHarness(lines.join("\n")) },
    // Added on the first line, so that the source map still matches.
    { type: "ESModule", path: APP, contents: `${HEAD}${bundle.body}\n}` },
    ...bundle.assets,
  ];
}
