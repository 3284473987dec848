import { describe, it } from "vitest";
import { RawSession } from "../support/raw-session.ts";
import { Siege } from "./support/siege.ts";

/** Every later instance reads what clients have left in storage, and must not die of it. */
describe("rows that attackers leave behind", () => {
  it("160 compressed `auth`s of 900 kB end neither this instance nor one that wakes or starts later", async () => {
    const siege = await Siege.lay();
    const auth = `40${JSON.stringify({ text: "x".repeat(900_000) })}`;
    await siege.during(() => siege.raid.open(160, { isCompressed: true, says: auth }));
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("262 WebSockets in a namespace with a long name end no instance", async () => {
    const siege = await Siege.lay();
    await siege.during(() => siege.raid.open(262, { says: (i) => `40/open-${i}${"n".repeat(480_000)},` }));
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);

  it("handshakes with one CONNECT of a long name each, which every middleware refuses, end no instance", async () => {
    const siege = await Siege.lay("small");
    await siege.during(async () => {
      for (let i = 0; i < 40; i++) {
        const session = await RawSession.start(siege.victim);
        await session.post(`40/refused-${i}${"n".repeat(900_000)},`, { ms: 10_000 });
      }
    });
    await siege.expectLaterInstances();
    await siege.expectRoom();
    await siege.expectNothingLeft();
  }, 60_000);
});
