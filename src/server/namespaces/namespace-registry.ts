import { type Dispatcher, EventEmitter } from "../../shared/event-emitter.ts";
import type { ServerContext } from "../context.ts";
import type { SocketMember } from "../sockets/socket-member.ts";
import { type Middleware, runMiddlewares } from "./middlewares.ts";

/** What the registry needs to know of a namespace. */
interface Named extends Dispatcher {
  readonly name: string;
}

interface Creator<Namespace> {
  createChild(name: string): Namespace;
}

/** A dynamic namespace: it creates a child for each name that it allows. */
export interface Parent<Namespace> {
  readonly namespace: Namespace & Creator<Namespace>;
  /** Undefined when a function decides. */
  readonly pattern: RegExp | undefined;
  readonly matches: (
    name: string,
    auth: unknown,
    next: (error: Error | null, isAllowed: boolean) => void,
  ) => unknown;
}

/** The namespaces of a server by name, and the parents that create more of them. */
export class NamespaceRegistry<Namespace extends Named> {
  /** Parents are not among them, other than their children. */
  readonly all = new Map<string, Namespace>();
  readonly parents: Parent<Namespace>[] = [];
  readonly #context: ServerContext;
  #main: Namespace | undefined;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** Adds a namespace, and emits `new_namespace` on the main one, which is the first that is added. */
  add(nsp: Namespace): void {
    this.all.set(nsp.name, nsp);
    this.#main ??= nsp;
    EventEmitter.dispatch(this.#main, ["new_namespace", nsp], this.#context.diagnostics.onError);
  }

  /** A namespace that exists, or that the pattern of a parent allows. */
  find(name: string): Namespace | undefined {
    if (this.#context.host.isSetUp && !this.all.has(name)) this.reviveChildren();
    const known = this.all.get(name);
    return known ?? this.parents.find(({ pattern }) => pattern?.test(name))?.namespace.createChild(name);
  }

  /**
   * Finds the namespace that a client asks for: one that exists, or the child of the first parent that allows it.
   * Parents are asked in the order of their registration, and may answer later.
   */
  search(name: string, auth: unknown, onFound: (nsp: Namespace | undefined) => void): void {
    const known = this.all.get(name);
    if (known !== undefined || this.parents.length === 0) {
      onFound(known);
      return;
    }
    const { diagnostics } = this.#context;
    const parents = this.parents.map(
      (parent): Middleware<string> =>
        (asked, next) => {
          // It may have been created while the parent before was deciding.
          if (this.existing(asked) !== undefined) next(parent);
          else return parent.matches(asked, auth, (error, isAllowed) => next(!error && isAllowed && parent));
        },
    );
    const what = `of ${name}`;
    runMiddlewares(
      parents,
      name,
      (thrown) => diagnostics.onError(thrown, what),
      // Creating a child runs the adapter of the user. When that throws, the client gets an error.
      (parent) =>
        onFound(
          diagnostics.attempt(
            what,
            () =>
              this.existing(name) ?? (parent as Parent<Namespace> | undefined)?.namespace.createChild(name),
          ),
        ),
    );
  }

  /** Creates those children of dynamic namespaces again that an earlier instance created and that have sockets. */
  reviveChildren(): void {
    if (this.parents.length === 0) return;
    for (const member of this.#context.rooms.oneOfEach()) this.ofMember(member);
  }

  /** The namespace of a member. A child that an earlier instance created is created again. */
  ofMember({ nsp, parent }: SocketMember): Namespace | undefined {
    const known = this.all.get(nsp);
    if (known !== undefined || parent === undefined) return known;
    const creator = this.parents.find(({ namespace }) => namespace.name === parent);
    let revived: Namespace | undefined;
    // Listeners of "new_namespace" prepare the namespace, so they run again, muted.
    this.#context.host.mute.run(() => {
      revived = this.#context.diagnostics.attempt("new_namespace", () => creator?.namespace.createChild(nsp));
    }, 0);
    return revived;
  }

  /** A namespace that exists, or a child that an earlier instance created and that has sockets. */
  existing(name: string): Namespace | undefined {
    const known = this.all.get(name);
    if (known !== undefined || this.parents.length === 0) return known;
    const member = this.#context.rooms.anyOf(name);
    return member && this.ofMember(member);
  }
}
