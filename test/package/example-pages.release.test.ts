import { spawn, spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Page } from "playwright-core";
import { io } from "socket.io-client";
import { afterEach, describe, expect, it } from "vitest";
import { hasBrowser } from "../browser/browser.ts";
import { packPackage, root } from "./pack.ts";
import { Shell } from "./shell.ts";
import { PHONE, Stage } from "./stage.ts";

const PYTHON = "/usr/bin/python3";
const hasPython = spawnSync(PYTHON, ["-c", "import socketio, requests"]).status === 0;
if (!hasPython) console.warn("SKIPPED: there is no python3-socketio, so the device in Python was not tried");

const PATIENCE = { timeout: 20_000 };

const SECRET = crypto.randomUUID();

describe.skipIf(!hasBrowser)("the page of the example", { timeout: 120_000 }, () => {
  let stage: Stage | undefined;

  afterEach(async () => {
    await stage?.close();
    stage = undefined;
  });

  const open = async (configPath: string, secrets = {}, folder = root): Promise<Stage> => {
    stage = await Stage.open(configPath, secrets, folder);
    return stage;
  };

  /** Types into the field called "Message", and sends it. */
  async function say(page: Page, text: string): Promise<void> {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  }

  const sees = (page: Page, text: string | RegExp) => page.getByText(text, { exact: true }).first().waitFor();

  it("chat lets two people talk", async () => {
    const play = await open("./examples/chat/worker/wrangler.toml");
    const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
    await play.isConnected(bob);
    await say(ann, "hello");
    await sees(bob, "hello");
    await play.sleep();
    await say(bob, "hello yourself");
    await sees(ann, "hello yourself");
    await play.judge(bob, "chat", ann);
  });

  it("chat-history shows earlier messages once, also to people who were away", async () => {
    const play = await open("./examples/chat-history/wrangler.toml");
    const [ann, bob] = [await play.visitor("/?name=Ann"), await play.visitor("/?name=Bob", PHONE)];
    await say(ann, "Has anybody seen the cat?");
    await sees(bob, "Has anybody seen the cat?");
    await play.sleep();
    await say(bob, "It sleeps on the keyboard.");
    await sees(ann, "It sleeps on the keyboard.");

    await bob.context().setOffline(true);
    await sees(bob, "not connected: what you say now is sent later");
    await say(ann, "Then nobody works today.");
    await say(bob, "From the tunnel: agreed.");
    await bob.context().setOffline(false);
    await sees(bob, "Then nobody works today.");
    await sees(ann, "From the tunnel: agreed.");

    const carl = await play.visitor("/?name=Carl");
    await sees(carl, "From the tunnel: agreed.");
    expect(await carl.getByRole("log").locator("p").count()).toBe(4);
    expect(await bob.getByRole("log").locator("p").count()).toBe(4);
    await play.judge(bob, "chat-history", ann);
  });

  it("applause shows the hands of people on other objects", async () => {
    const play = await open("./examples/applause/wrangler.toml");
    const people = [await play.visitor(), await play.visitor("/", PHONE)];
    // The page's own address and browser name its object; with other browsers it is another one.
    for (const agent of ["one", "two", "three", "four", "five", "six"]) {
      const socket = io(play.url.href, {
        extraHeaders: { "user-agent": agent },
        transports: ["websocket"],
        forceNew: true,
      });
      const seat = await new Promise<string>((resolve) => socket.once("seat", resolve));
      expect(seat).toMatch(/^[0-3]$/);
      for (let i = 0; i < 5; i++) socket.emit("clap", "★");
    }
    for (const page of people) await page.locator("dd").getByText("30", { exact: true }).waitFor();
    const late = await play.visitor();
    await late.getByText(/^you sit with object [0-3], in an audience of 9$/).waitFor();
    await people[0]!.getByRole("button", { name: "Celebrate" }).click();
    for (const page of people) await page.locator("dd").getByText("1", { exact: true }).waitFor();
    await play.judge(people[1]!, "applause", people[0]);
  });

  it("dashboard draws what HTTP requests and a cron trigger report, and shows notifications", async () => {
    const play = await open("./examples/dashboard/wrangler.toml");
    const post = async (path: string, body: string) =>
      (await fetch(new URL(path, play.url), { method: "POST", body })).status;
    const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
    for (const page of [ann, bob]) await play.isConnected(page);
    for (const visitors of [12, 30, 26, 48, 41, 66, 73, 61, 88, 97, 92, 120, 131, 118]) {
      expect(await post("/report/visitors", String(visitors))).toBe(202);
    }
    const shows = (page: Page, series: string, value: string) =>
      page.locator(`[data-series=${series}] output`).getByText(value, { exact: true }).waitFor();
    await Promise.all([ann, bob].map((page) => shows(page, "visitors", "118")));
    expect([await post("/report/visitors", "many"), await post("/report/visitors", "")]).toEqual([400, 400]);
    await play.sleep();
    expect(await post("/report/visitors", "142")).toBe(202);
    await Promise.all([ann, bob].map((page) => shows(page, "visitors", "142")));

    await play.sleep();
    await play.cron();
    await Promise.all([ann, bob].map((page) => shows(page, "watching", "2")));
    await play.cron();
    await post("/notify", "The sale has begun");
    await Promise.all([ann, bob].map((page) => sees(page, "The sale has begun")));

    const late = await play.visitor();
    await shows(late, "visitors", "142");
    const drawn = (await late.locator("[data-series=visitors] .line").getAttribute("d")) ?? "";
    expect(drawn.split("L")).toHaveLength(15);
    await play.judge(bob, "dashboard", ann);
  });

  it("whiteboard shows what others draw, and what was drawn before", async () => {
    const play = await open("./examples/whiteboard/wrangler.toml");
    const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
    const inked = (page: Page) => page.evaluate<number>(inkOf);
    await draw(ann, wave);
    await expect.poll(() => inked(bob), PATIENCE).toBeGreaterThan(500);
    await play.sleep();
    await bob.getByLabel("Colour").fill("#c2410c");
    const before = await inked(ann);
    await draw(bob, circle);
    await expect.poll(() => inked(ann), PATIENCE).toBeGreaterThan(before + 500);

    const carl = await play.visitor();
    await expect.poll(() => inked(carl), PATIENCE).toBeGreaterThan(before + 500);
    await play.judge(bob, "whiteboard", ann);
    await carl.getByRole("button", { name: "Clear" }).click();
    await expect.poll(() => inked(bob), PATIENCE).toBe(0);
  });

  it("devices shows what a device that polls reports, and switches it", async () => {
    const play = await open("./examples/devices/wrangler.toml");
    const panel = await play.visitor();
    const cellar = await play.visitor("/device.html?name=cellar", PHONE);
    await play.visitor("/device.html?name=greenhouse");
    const tile = panel.getByRole("listitem").filter({ hasText: "cellar" });
    await tile.getByText("20.0 °C").waitFor();
    await play.sleep();
    await tile.getByRole("button", { name: "Heating: off" }).click();
    await sees(cellar, "Heating: on");
    await tile.getByRole("button", { name: "Heating: on" }).waitFor();
    await play.sleep();
    await cellar.getByLabel("Temperature").fill("21.5");
    await tile.getByText("21.5 °C").waitFor();

    const phone = await play.visitor("/", PHONE);
    await phone.getByRole("listitem").filter({ hasText: "cellar" }).getByText("21.5 °C").waitFor();
    await play.judge(phone, "devices", panel);
  });

  it.skipIf(!hasPython)("devices has a script in Python, which is controlled like the others", async () => {
    const play = await open("./examples/devices/wrangler.toml");
    const panel = await play.visitor();
    const script = join(root, "examples/devices/device.py");
    const device = spawn(PYTHON, [script, "attic", play.url.origin], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const tile = panel.getByRole("listitem").filter({ hasText: "attic" });
      await tile.getByText(/°C$/).waitFor();
      await play.sleep();
      const switched = printed(createInterface(device.stdout), "switched on");
      await tile.getByRole("button", { name: "Heating: off" }).click();
      await switched;
      await tile.getByRole("button", { name: "Heating: on" }).waitFor();
    } finally {
      device.kill();
    }
  });

  it("game gives each match an object of its own, which continues after naps and restarts", async () => {
    const play = await open("./examples/game/wrangler.toml");
    const [ann, bob] = [await play.visitor("/?match=one"), await play.visitor("/?match=one", PHONE)];
    const other = await play.visitor("/?match=two");
    await sees(ann, "You are red");
    await sees(bob, "You are yellow");
    await sees(other, "Waiting for the other player");
    const move = async (page: Page, column: number) => {
      await sees(page, "It is your turn");
      await page
        .getByRole("button", { name: `column ${column}` })
        .first()
        .click();
    };
    await move(ann, 4);
    await play.sleep("match one");
    await move(bob, 3);
    await play.restart("match one");
    await move(ann, 4);
    await move(bob, 3);
    await move(ann, 4);
    await play.sleep("match one");
    await move(bob, 5);
    const watcher = await play.visitor("/?match=one");
    await sees(watcher, "You are watching");
    await move(ann, 4);
    await sees(ann, "You have won!");
    await sees(bob, "red has won");
    await sees(watcher, "red has won");
    await play.judge(bob, "game", ann);
    await bob.getByRole("button", { name: "Play again" }).click();
    await move(bob, 1);
    expect(await other.locator("#board .p0, #board .p1").count()).toBe(0);
  });

  it("document lets two people write at once, and keeps what they wrote", async () => {
    const folder = await mkdtemp(join(tmpdir(), "socket.io-edge-document-"));
    try {
      await cp(join(root, "examples/document"), folder, { recursive: true });
      const { filename } = await packPackage(folder);
      const manifest = await readFile(join(folder, "package.json"), "utf8");
      await writeFile(
        join(folder, "package.json"),
        manifest.replace(/("socket.io-edge": )".*"/, `$1"file:./${filename}"`),
      );
      const shell = await Shell.withNode(process.execPath, join(folder, "bin"));
      await shell.run(folder, "npm", "install", "--no-audit", "--no-fund");
      await shell.run(folder, "npm", "run", "build");
      const play = await open("./wrangler.toml", {}, folder);
      const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
      const reads = (page: Page) => page.getByLabel("The document").inputValue();
      for (const page of [ann, bob]) await sees(page, "connected");

      await ann.getByLabel("The document").pressSequentially("Dear Bob,");
      await expect.poll(() => reads(bob), PATIENCE).toBe("Dear Bob,");
      await play.sleep();
      await bob.getByLabel("The document").press("Control+End");
      await bob.getByLabel("The document").pressSequentially("\nthe object slept.");
      await expect.poll(() => reads(ann), PATIENCE).toBe("Dear Bob,\nthe object slept.");

      await Promise.all([bob, ann].map((page) => page.context().setOffline(true)));
      await ann.getByLabel("The document").press("Control+Home");
      await ann.getByLabel("The document").pressSequentially("Offline, Ann wrote: ");
      await bob.getByLabel("The document").press("Control+End");
      await bob.getByLabel("The document").pressSequentially(" Bob wrote, too.");
      await Promise.all([bob, ann].map((page) => page.context().setOffline(false)));
      const both = "Offline, Ann wrote: Dear Bob,\nthe object slept. Bob wrote, too.";
      await expect.poll(() => reads(ann), PATIENCE).toBe(both);
      await expect.poll(() => reads(bob), PATIENCE).toBe(both);

      await play.restart();
      const carl = await play.visitor();
      await expect.poll(() => reads(carl), PATIENCE).toBe(both);
      await play.judge(bob, "document", ann);
    } finally {
      await stage?.close();
      stage = undefined;
      await rm(folder, { recursive: true, force: true });
    }
  }, 300_000);

  it("tutorial delivers each message once, also those that were missed", async () => {
    const play = await open("./examples/tutorial/wrangler.toml");
    const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
    await say(ann, "Hello from the tutorial");
    await sees(bob, "Hello from the tutorial");
    await play.sleep();
    await bob.context().setOffline(true);
    await say(ann, "You have missed this");
    await sees(ann, "You have missed this");
    await say(bob, "And you this");
    await bob.context().setOffline(false);
    await sees(bob, "You have missed this");
    await sees(ann, "And you this");
    const carl = await play.visitor();
    await sees(carl, "And you this");
    for (const page of [ann, bob, carl]) expect(await page.getByRole("listitem").count()).toBe(3);
    await play.judge(bob, "tutorial", ann);
  });

  it("private-messaging delivers a message to one person, and shows when that person is away", async () => {
    const play = await open("./examples/private-messaging/worker/wrangler.toml", { SECRET });
    const [ann, bob] = [await play.visitor(), await play.visitor("/", PHONE)];
    for (const [page, name] of [
      [ann, "Ann"],
      [bob, "Bob"],
    ] as const) {
      await page.getByLabel("Your name").fill(name);
      await page.getByRole("button", { name: "Sign in" }).click();
      await sees(page, `You are ${name}`);
    }
    await ann.getByRole("button", { name: "Bob" }).click();
    await play.sleep();
    await say(ann, "Psst, Bob!");
    await ann.getByText("delivered").waitFor();
    await bob.getByText("Psst, Bob!").waitFor();
    await play.sleep();
    await say(bob, "I am listening.");
    await ann.getByText("I am listening.").waitFor();
    await play.judge(bob, "private-messaging", ann);
    await bob.close();
    await ann.getByRole("button", { name: "Bob, away" }).waitFor();
    await say(ann, "Are you there?");
    await ann.getByText("not here: nobody got it").waitFor();
  });

  it("gatekeeper refuses unknown clients, and lets two who are signed in talk", async () => {
    const play = await open("./examples/gatekeeper/wrangler.toml", { SECRET });
    const [ann, bob] = [await play.visitor("/?name=Ann"), await play.visitor("/?name=Bob", PHONE)];
    await ann.getByRole("button", { name: "without a token" }).click();
    await ann.getByText("sign in first").first().waitFor();
    await ann.getByRole("button", { name: "with a forged one" }).click();
    await expect.poll(() => ann.getByText("sign in first").count(), PATIENCE).toBe(2);
    await ann.getByRole("button", { name: "Connect, signed in" }).click();
    await sees(ann, "you are in, as Ann");
    await bob.getByRole("button", { name: "Connect, signed in" }).click();
    await sees(bob, "you are in, as Bob");
    await play.sleep();
    await say(bob, "hello, Ann");
    await sees(ann, "Bob: hello, Ann");
    await ann.getByRole("button", { name: "30 times at once" }).click();
    await ann.getByText(/^30 handshakes/).waitFor();
    await play.judge(bob, "gatekeeper", ann);
  });
});

/** Waits until a program prints a line. */
function printed(lines: Interface, wanted: string): Promise<void> {
  return new Promise((resolve) => {
    lines.on("line", (line) => line === wanted && resolve());
  });
}

/** Run by the page: how many points of the board are not white. */
const inkOf = `(() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let ink = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i] > 0) ink += 1;
  return ink;
})()`;

/** A curve in parts of the board's width. */
type Curve = (t: number) => [number, number];
const wave: Curve = (t) => [0.1 + 0.8 * t, 0.3 + 0.12 * Math.sin(t * 12)];
const circle: Curve = (t) => [0.5 + 0.2 * Math.cos(t * 6.3), 0.35 + 0.2 * Math.sin(t * 6.3)];

async function draw(page: Page, curve: Curve): Promise<void> {
  const box = await page.locator("canvas").boundingBox();
  if (box === null) throw new Error("there is no board");
  const at = (t: number): [number, number] => {
    const [x, y] = curve(t);
    return [box.x + x * box.width, box.y + y * box.width];
  };
  await page.mouse.move(...at(0));
  await page.mouse.down();
  for (let step = 1; step <= 40; step++) await page.mouse.move(...at(step / 40));
  await page.mouse.up();
}
