import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { compareWithNode, type Replacer, type Step } from "../../src/testing/index.ts";
import * as steps from "../fixtures/state/steps.ts";

const LIMIT = 120_000;
const fixture = (path: string) => new URL(`../fixtures/state/${path}.ts`, import.meta.url);

/** The ids of the repository are random. */
const replace: Replacer = (key, value) =>
  key === "id" || (typeof value === "string" && /^[0-9a-f]{8}-/.test(value)) ? "an id" : value;

const apps: Record<
  keyof typeof steps,
  { script: () => Record<string, Step>; step: string; variable: RegExp }
> = {
  signalling: { script: steps.signalling, step: "bob joins, and learns who is there", variable: /peers \(/ },
  quiz: { script: steps.quiz, step: "ann plays", variable: /games \(/ },
  chat: { script: steps.chat, step: "ann says hello to nobody", variable: /users \(.*history \(/ },
  repository: { script: steps.repository, step: "bob lists", variable: /repository \(/ },
};

describe.each(Object.entries(apps))("%s, which keeps its state in a variable of the module", (name, app) => {
  it(
    "is detected by a nap, and the error says the cure",
    async () => {
      const compared = compareWithNode({
        worker: fixture(`${name}/pasted`),
        node: fixture(`${name}/app`),
        steps: app.script(),
        patience: 1_000,
        transports: [["websocket"]],
        ...(name === "repository" && { replace }),
      });
      const { message } = await compared.then(
        () => expect.fail("it was not found out"),
        (error: Error) => error,
      );
      expect(message).toContain(`at step:  "${app.step}", with a nap between any two steps, over websocket`);
      expect(message).toMatch(app.variable);
      expect(message).toContain("`io.data`");
    },
    LIMIT,
  );

  it.each([["polling"], ["websocket"]] as const)(
    "behaves as on Node with its state in io.data, awake, asleep and restarted, over %s",
    async (transport) => {
      await compareWithNode({
        worker: fixture(`${name}/kept`),
        node: { options: { connectionStateRecovery: {} }, setup: fixture(`${name}/app`) },
        steps: app.script(),
        transports: [[transport]],
        interruptions: ["none", "nap", "restart"],
        ...(name === "repository" && { replace }),
      });
    },
    LIMIT,
  );

  it("differs from its version for Node in at most ten lines", async () => {
    const [node, kept] = await Promise.all(
      ["app", "kept-app"].map(async (file) =>
        (await readFile(fixture(`${name}/${file}`), "utf8")).split("\n"),
      ),
    );
    const changed = differentLines(node as string[], kept as string[]);
    expect(changed.length, changed.join("\n")).toBeLessThanOrEqual(10);
    expect(changed.length).toBeGreaterThan(0);
  });
});

/** The lines that a diff shows, which are those outside the longest common subsequence of both. */
function differentLines(before: string[], after: string[]): string[] {
  const common = before.map(() => after.map(() => 0));
  const at = (i: number, j: number) => common[i]?.[j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const longer = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      (common[i] as number[])[j] = longer;
    }
  }
  const changed: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && before[i] === after[j]) {
      i++;
      j++;
    } else if (j >= after.length || (i < before.length && at(i + 1, j) >= at(i, j + 1))) {
      changed.push(`- ${before[i++]}`);
    } else changed.push(`+ ${after[j++]}`);
  }
  return changed;
}
