import type { SocketPacket } from "../../codec/index.ts";
import { HELD_BYTES } from "../../engine/constants.ts";
import type { Account } from "../../shared/byte-budget.ts";
import { estimateMemory } from "../../shared/estimate-bytes.ts";

interface HeldPacket {
  /** Undefined when it was dropped. */
  packet: SocketPacket | undefined;
}

/** Packets of one connection that wait until listeners are registered again. Their memory counts for the connection. */
export class HeldPackets {
  readonly #account: Account;
  #held: Set<HeldPacket> | undefined;

  constructor(account: Account) {
    this.#account = account;
  }

  get isEmpty(): boolean {
    return !this.#held?.size;
  }

  /** Keeps a packet until `wait` calls back, and passes it to `then`. The connection may be closed for the memory. */
  hold(packet: SocketPacket, wait: (run: () => void) => void, then: (packet: SocketPacket) => void): void {
    const bytes = HELD_BYTES + estimateMemory(packet.data);
    const held: HeldPacket = { packet };
    this.#held ??= new Set();
    this.#held.add(held);
    this.#account.add(bytes);
    wait(() => {
      if (!this.#held?.delete(held)) return;
      this.#account.add(-bytes);
      then(held.packet as SocketPacket);
    });
  }

  /** Drops all of them. */
  drop(): void {
    for (const held of this.#held ?? []) held.packet = undefined;
    this.#held = undefined;
  }
}
