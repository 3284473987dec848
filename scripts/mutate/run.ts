/**
 * Makes mistakes of the kind that a refactoring makes, one at a time, and reports those that the tests do not detect.
 *
 *     npm run mutate -- --count 40 --seed 1 --only src/engine --only src/objects/sessions/heartbeat.ts:120
 *
 * `--only` names a folder, a file or a line, and may be repeated. Files are restored whatever happens.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Random } from "../../test/support/random.ts";
import { Judge } from "./judge.ts";
import { apply, type Mutant, mutantsOf } from "./mutants.ts";

interface Placed extends Mutant {
  readonly file: string;
  readonly source: string;
}

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "40" },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true, default: ["src/"] },
  },
});

const folderOf = (file: string) => file.split("/")[1] ?? "";

function allMutants(): Placed[] {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).map((it) => `src/${it}`);
  const judged = files.filter((file) => file.endsWith(".ts") && Judge.judges(folderOf(file))).sort();
  return judged.flatMap((file) => {
    const source = readFileSync(file, "utf8");
    return mutantsOf(source).map((mutant) => ({ ...mutant, file, source }));
  });
}

function isWanted({ file, line }: Placed): boolean {
  return values.only.some(
    (path) => `${file}:${line}` === path || (!/:\d+$/.test(path) && file.startsWith(path)),
  );
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, order: random.next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

/** Takes some mutants of each file in turn, so that a large file does not take all of them. */
function sample(mutants: readonly Placed[], count: number, random: Random): Placed[] {
  const turns = new Map<string, number>();
  const takeTurn = (mutant: Placed) => {
    const turn = turns.get(mutant.file) ?? 0;
    turns.set(mutant.file, turn + 1);
    return { mutant, turn };
  };
  return shuffled(mutants, random)
    .map(takeTurn)
    .sort((a, b) => a.turn - b.turn)
    .map(({ mutant }) => mutant)
    .slice(0, count);
}

function describe({ file, line, kind, source, start, end, replacement }: Placed): string {
  const short = (text: string) => (text.length > 70 ? `${text.slice(0, 67)}...` : text).replace(/\s+/g, " ");
  return `${file}:${line} ${kind}: ${short(source.slice(start, end))} → ${short(replacement)}`;
}

const judge = new Judge();
let broken: Placed | undefined;
function restore(): void {
  if (broken !== undefined) writeFileSync(broken.file, broken.source);
  broken = undefined;
}
process.on("exit", restore);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    judge.stop();
    process.exit(1);
  });
}

const random = new Random(Number(values.seed));
const mutants = sample(allMutants().filter(isWanted), Number(values.count), random);
const survivors: string[] = [];
for (const [index, mutant] of mutants.entries()) {
  broken = mutant;
  writeFileSync(mutant.file, apply(mutant.source, mutant));
  const verdict = await judge.judge(folderOf(mutant.file));
  restore();
  if (verdict === undefined) survivors.push(describe(mutant));
  const outcome = verdict === undefined ? "SURVIVED" : `noticed by ${verdict}`;
  console.log(`${index + 1}/${mutants.length} ${describe(mutant)}\n      ${outcome}`);
}
console.log(`\n${mutants.length - survivors.length} of ${mutants.length} were noticed. Not noticed:`);
for (const survivor of survivors) console.log(`  ${survivor}`);
