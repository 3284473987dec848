import { describe, expect, it } from "vitest";
import { type CompareOptions, compareWithNode, type Step } from "../../src/testing/index.ts";
import { signalling } from "../fixtures/state/steps.ts";
import { greeting, inClosure, options, random, ticking } from "../fixtures/testing/apps.ts";

const LIMIT = 120_000;
const fixture = (name: string) => new URL(`../fixtures/testing/${name}.ts`, import.meta.url);

const comes: Step = ({ connect }) => connect("ann");
const scores: Step = ({ client }) => client("ann").timeout(1_000).emitWithAck("score", 2);

/** The error message of the comparison. */
async function complaint(options: CompareOptions): Promise<string> {
  return compareWithNode({ patience: 2_000, transports: [["websocket"]], ...options }).then(
    () => expect.fail("it found no difference"),
    ({ message }: Error) => message,
  );
}

describe("compareWithNode", () => {
  it(
    "passes for an app whose state survives naps and restarts",
    () =>
      compareWithNode({
        worker: fixture("scores"),
        node: { options, setup: fixture("apps") },
        interruptions: ["nap", "restart"],
        transports: [["websocket"]],
        steps: {
          "ann and bob come": async ({ connect }) => {
            await connect("ann");
            await connect("bob");
          },
          "zoe is banned": ({ refused }) => refused("zoe", { auth: { isBanned: true } }),
          "ann scores": ({ client }) => client("ann").emitWithAck("score", 3),
          "bob scores, and does not wait": ({ client }) => client("bob").emit("score", 4, () => {}),
          "ann scores again": ({ client }) => client("ann").emitWithAck("score", 5),
          "bob leaves": ({ client }) => client("bob").disconnect(),
          "bob comes back": ({ connect }) => connect("bob"),
        },
      }),
    LIMIT,
  );

  it(
    "names the variable of a module that was lost, and says where to keep its value",
    async () => {
      const state = (name: string) => new URL(`../fixtures/state/signalling/${name}.ts`, import.meta.url);
      const steps = signalling();
      const message = await complaint({ worker: state("pasted"), node: state("app"), steps });
      expect(message).toContain('at step:  "bob joins, and learns who is there", with a nap');
      expect(message).toContain('on Node:  [[{"id":"ann#1","name":"Ann"}]]\n  here:     [[]]');
      expect(message).toContain("peers (test/fixtures/state/signalling/app.ts:9)");
      expect(message).toContain("`io.data`");
    },
    LIMIT,
  );

  it(
    "says that variables of the setup function were lost",
    async () => {
      const steps = { "ann comes": comes, "ann scores": scores, "and again": scores };
      const message = await complaint({ worker: fixture("in-closure"), node: inClosure, steps });
      expect(message).toContain('at step:  "and again", with a nap between any two steps, over websocket');
      expect(message).toContain("on Node:  [4]\n  here:     [2]");
      expect(message).toContain("variables of the setup function");
    },
    LIMIT,
  );

  it(
    "says that clients start new sessions after a restart without recovery",
    async () => {
      const message = await complaint({
        worker: fixture("greeting"),
        node: greeting,
        steps: { "ann comes": comes, "ann scores": scores },
        interruptions: ["nap", "restart"],
      });
      expect(message).toContain('at step:  "ann scores", with a restart between any two steps');
      expect(message).toContain('here:     ["connected anew"] ["event","welcome"]');
      expect(message).toContain("`connectionStateRecovery`");
    },
    LIMIT,
  );

  it(
    "does not attribute a difference to a nap if it also appears awake",
    async () => {
      const steps = { "ann comes": comes, "ann scores": scores };
      const message = await complaint({
        worker: fixture("random"),
        node: random,
        steps,
        interruptions: ["nap"],
      });
      expect(message).toContain("client:   (what the step returned)");
      expect(message).toContain("the option `replace`");
    },
    LIMIT,
  );

  it(
    "fails when the object never slept, and says what kept it awake",
    async () => {
      const message = await complaint({
        worker: fixture("ticking"),
        node: ticking,
        steps: { "ann comes": comes, "ann scores": scores },
        interruptions: ["nap"],
      });
      expect(message).toContain("the object never slept");
      expect(message).toContain("a timer is pending (setTimeout, setInterval)");
    },
    LIMIT,
  );

  it("names a step that fails on Node as well", async () => {
    const message = await complaint({
      worker: fixture("random"),
      node: random,
      steps: { "nobody scores": scores },
    });
    expect(message).toContain(
      'step "nobody scores" fails on Node: no client is called "ann": connect("ann") first',
    );
  });
});
