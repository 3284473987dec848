import type { DataTtl } from "./data/data-writer.ts";
import { ServerData } from "./data/server-data.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { Host } from "./host.ts";
import { Recovery } from "./recovery/recovery.ts";
import type { RecoveryOptions } from "./recovery/recovery-options.ts";
import type { RecoveryStore } from "./recovery/recovery-store.ts";
import { BroadcastBudget } from "./rooms/broadcast-acks.ts";
import { LogicalClock } from "./rooms/logical-clock.ts";
import { RoomDirectory } from "./rooms/room-directory.ts";
import { KeepAlive } from "./sockets/keep-alive.ts";
import { type FactoryFinder, MemberLoader } from "./sockets/member-loader.ts";
import { createParser, type Parser, type ParserOption } from "./sockets/parser.ts";
import type { MemberConnection, SocketControl } from "./sockets/socket-member.ts";
import { EscapedValues } from "./state/escaped-values.ts";

/** What the parts of a server need of its options. */
export interface ServerLimits {
  readonly maxNamespaces: number;
  readonly maxNamespaceLength: number;
  readonly maxAuthBytes: number;
  readonly maxRooms: number;
  readonly maxOwedAcks: number;
}

interface ContextOptions extends ServerLimits {
  readonly maxAwakeTime: number;
  readonly parser?: ParserOption;
  readonly recovery: Required<RecoveryOptions> | undefined;
  readonly maxDataBytes: number;
  readonly dataTtl?: DataTtl;
}

/** What the parts of one server share, and users do not see. It knows neither namespaces nor sockets. */
export class ServerContext {
  readonly host: Host;
  readonly limits: ServerLimits;
  readonly diagnostics: Diagnostics;
  readonly parser: Parser;
  readonly keepAlive: KeepAlive;
  readonly escaped = new EscapedValues();
  /**
   * Whether listeners of `disconnecting` or `disconnect` are running. Sockets that are about to leave are still there
   * for them.
   */
  isDisconnecting = false;
  readonly clock: LogicalClock;
  readonly rooms: RoomDirectory<MemberConnection, SocketControl>;
  readonly loader: MemberLoader;
  readonly recoveryStore: RecoveryStore | undefined;
  readonly recovery: Recovery | undefined;
  readonly broadcasts: BroadcastBudget;
  readonly data: ServerData;

  constructor(host: Host, options: ContextOptions, findFactory: FactoryFinder) {
    this.host = host;
    this.limits = options;
    this.diagnostics = new Diagnostics(host);
    this.parser = createParser(options.parser);
    this.keepAlive = new KeepAlive(host, options.maxAwakeTime);
    const { recovery } = options;
    this.recoveryStore = recovery && host.openRecovery(recovery.maxDisconnectionDuration, recovery.maxBytes);
    this.clock = new LogicalClock(host, this.recoveryStore);
    this.rooms = new RoomDirectory(host, this.clock);
    this.loader = new MemberLoader(this, findFactory);
    this.broadcasts = new BroadcastBudget(host);
    this.data = new ServerData(host.dataRows, this, options);
    if (recovery !== undefined && this.recoveryStore !== undefined) {
      this.recovery = new Recovery(this.recoveryStore, this, recovery);
    }
  }

  /**
   * Whether the running code is a replay. Its effects on the outside are skipped, since they happened the first time.
   */
  get isMuted(): boolean {
    return this.host.mute.active;
  }

  /**
   * Runs listeners of `disconnecting` or `disconnect`. They are not muted, although a replay may have led to the end.
   */
  runDisconnecting(listeners: () => void): void {
    const before = this.isDisconnecting;
    this.isDisconnecting = true;
    this.host.mute.lift(listeners);
    this.isDisconnecting = before;
  }

  /** A handler, or a method of the object's class, has settled: looks for changes that nothing has reported. */
  onSettled(findChanges?: () => void): void {
    this.diagnostics.attempt("socket.data", () => {
      findChanges?.();
      this.escaped.compare();
    });
  }
}
