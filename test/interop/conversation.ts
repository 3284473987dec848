import type { Socket } from "socket.io-client";
import { nextEvent, upgraded } from "../support/clients.ts";
import { within } from "../support/within.ts";
import { type Cast, hasRecovery } from "./cast.ts";

/** One step, and whether the object may be killed after it. */
export interface Step {
  name: string;
  run(cast: Cast): Promise<void>;
}

type Speaker = "ann" | "bob" | "cat";
const speakers: Speaker[] = ["ann", "bob", "cat"];

/** The conversation: some 190 steps with everything that a client can do or observe. */
export function conversation(cast: Pick<Cast, "mode">): Step[] {
  const steps: Step[] = [];
  const step = (name: string, run: Step["run"]) => steps.push({ name, run });
  /** A step of one client: it emits an event, and the acknowledgement, if it asks for one, is added to its trace. */
  const emits = (who: string, event: string, ...args: unknown[]) =>
    step(`${who} emits ${event}`, async ({ on }) => void on(who).emit(event, ...args));
  const asks = (who: string, event: string, ...args: unknown[]) =>
    step(`${who} asks ${event}`, async (cast) => {
      const answered = new Promise<unknown[]>((resolve) => {
        cast.on(who).emit(event, ...args, (...answer: unknown[]) => resolve(answer));
      });
      const answer = await within(answered, `answer to ${event}`, 15_000);
      // After a restart clients reconnect in any order, as on Node.
      if (event === "who" && hasRecovery(cast.mode)) (answer[0] as string[]).sort();
      cast.note(who, "answer", event, ...answer);
    });
  const provokes = (who: string, reply: string, event: string, ...args: unknown[]) =>
    step(`${who} provokes ${reply}`, async ({ on }) => {
      const came = nextEvent(on(who) as Socket, reply);
      on(who).emit(event, ...args);
      await came;
    });

  for (const who of speakers) step(`${who} connects`, (cast) => cast.connect(who));
  step("somebody without a name is refused", (cast) => cast.refused("nobody", "/", { name: "nobody" }));
  for (const who of speakers) asks(who, "rooms");
  for (const who of speakers) exchange(who, "red");
  for (const who of speakers) gather(who, "red");

  step("ann moves to WebSocket", async (cast) => {
    cast.openGate();
    if (cast.mode === "mixed") await upgraded(cast.on("ann"));
  });
  for (const who of speakers) exchange(who, "blue");

  step("a fourth connects", (cast) => cast.connect("dan"));
  for (const who of speakers) emits(who, "say", "lobby", `hello dan, says ${who}`);
  asks("dan", "join", ["red", "green"]);
  emits("dan", "shout", "here I am", { deep: [1, { deeper: null }] });
  asks("dan", "who", "red");
  step("the fourth leaves", (cast) => cast.disconnect("dan"));
  asks("ann", "who", "red");
  asks("ann", "size", "green");
  step("the fourth comes back", (cast) => cast.connect("dan"));
  asks("dan", "profile");
  asks("dan", "rooms");
  emits("ann", "kick", "dan", false);
  asks("bob", "who", "lobby");
  step("the fourth comes back again", (cast) => cast.connect("dan"));
  emits("cat", "kick", "dan", true);
  asks("cat", "who", "lobby");

  for (const who of speakers) step(`${who} enters /chat`, (cast) => cast.connect(`${who}/chat`));
  for (const who of speakers) asks(`${who}/chat`, "join", "red");
  for (const who of speakers) emits(`${who}/chat`, "say", "red", "only in chat");
  for (const who of speakers) emits(who, "say", "red", "only in main");
  for (const who of speakers) asks(`${who}/chat`, "visit");
  for (const who of speakers) asks(`${who}/chat`, "profile");
  emits("ann/chat", "shout", "chat hears");
  asks("bob/chat", "who", "red");
  step("bob leaves /chat", (cast) => cast.disconnect("bob/chat"));
  asks("ann/chat", "who", "red");
  asks("bob", "who", "red");
  step("bob enters /chat again", (cast) => cast.connect("bob/chat"));
  asks("bob/chat", "rooms");
  step("a stranger is refused by /admin", (cast) =>
    cast.refused("cat/admin", "/admin", { name: "cat", token: "guess" }),
  );
  step("ann enters /admin", (cast) => cast.connect("ann/admin", { token: "secret" }));
  asks("ann/admin", "profile");
  emits("ann/admin", "tag", "boss");
  asks("ann/admin", "profile");
  step("ann asks for a namespace that is not there", (cast) => cast.refused("ann/nowhere", "/nowhere", {}));

  for (const who of speakers) gather(who, "blue");
  for (const who of speakers) asks(who, "profile");
  for (const who of speakers) provokes(who, "polled", "poll", "red", `who is in red, asks ${who}`);
  for (const who of ["cat", "bob", "ann"]) step(`${who} leaves for good`, (cast) => cast.leave(who));
  return steps;

  function exchange(who: Speaker, room: string): void {
    asks(who, "visit");
    emits(who, "tag", `${room} tag`);
    if (!hasRecovery(cast.mode)) asks(who, "promote"); // recovery restores data, but not the properties of a socket
    asks(who, "note", room, room.length);
    emits(who, "remember", Buffer.from([room.length, 0, 255]));
    asks(who, "recall");
    // Events after the last one that was received are recovered by the current rooms; this event keeps that out of the
    // trace.
    emits(who, "echo", "before the room changes");
    asks(who, "join", room);
    emits(who, "say", room, { from: who, list: [1, "zwei", null] });
    provokes(who, "answered", "ask", `${room}?`);
    emits(who, "echo", Buffer.from(`${who} in ${room}`), { nested: Buffer.alloc(3, 1) }, "end");
    emits(who, "burst", 20);
    provokes(who, "late", "late", room.length);
    asks(who, "echo", "text", Buffer.from([1]));
    emits(who, "forbidden", 1);
  }

  function gather(who: Speaker, room: string): void {
    asks(who, "untag");
    asks(who, "size", room);
    asks(who, "who", room);
    emits(who, "whisper", room, "only outside");
    emits(who, "gather", room, `${room} too`);
    asks(who, "rooms");
    emits(who, "echo", "before the room changes again");
    asks(who, "leave", room);
    emits(who, "shout", "how many are we", who.length);
    emits(who, "scatter", `${room} too`);
    if (!hasRecovery(cast.mode)) emits(who, "first", room); // a recovered connection runs the `connection` listener again, as on Node
  }
}
