import { describe, expect, it } from "vitest";
import { compareWithNode, type Replacer, type Step } from "../../src/testing/index.ts";
import * as steps from "../fixtures/state/steps.ts";

const LIMIT = 120_000;
const fixture = (path: string) => new URL(`../fixtures/state/${path}.ts`, import.meta.url);

/** Ids of the repository are random. */
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
    "is found out by a nap, and told the cure",
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
});
