/** Versions that ship no types for their ES module. */
declare module "socket.io-client-3.1" {
  export const io: (url: string, options: object) => unknown;
}
declare module "socket.io-client-4.0" {
  export const io: (url: string, options: object) => unknown;
}
declare module "socket.io-client-2.5" {
  export interface OldEngine {
    readonly id: string;
    readonly transport: { readonly name: string };
    once(event: string, listener: () => void): void;
  }
  export interface OldSocket {
    readonly id: string;
    readonly connected: boolean;
    readonly io: { readonly engine: OldEngine };
    on(event: string, listener: (...args: never[]) => void): this;
    once(event: string, listener: (...args: never[]) => void): this;
    emit(event: string, ...args: unknown[]): this;
    close(): this;
  }
  export default function io(url: string, options: object): OldSocket;
}
