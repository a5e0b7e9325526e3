/**
 * What the recovery benchmark knows of a client. There is a module for each, `clients/<id>.mjs`, that exports it as `client`.
 *
 * A module imports what it measures within `open`, so that the list of clients can be read before their packages are installed. A package
 * that the workspace has (the official SDKs, Lifeline) is imported as usual; one of `rivals/package.json` with `load` of `rivals.mjs`.
 */
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"

/** The server that a client connects to, in the form of every configuration of clients. */
export type Target =
  | {
    readonly kind: "stdio"
    readonly command: string
    readonly args: Array<string>
    /** What its process needs besides what a client passes on by itself. */
    readonly env: Record<string, string>
  }
  | { readonly kind: "http"; readonly url: string }

/** A revision of the protocol: 2025-11-25, or 2026-07-28. */
export type Protocol = "2025" | "2026"

export interface Hooks {
  /** What the server speaks. */
  readonly protocol: Protocol
  /**
   * What the caller gives the client for each step, in milliseconds: for a call, and for connecting. A client that has an option for it is
   * given it there; one that has none is left waiting, and the caller goes on.
   */
  readonly timeoutMs: number
  /** Takes what the client reports, for `--verbose`. */
  readonly log: (text: string) => void
}

/** A connected client. */
export interface Opened {
  /** Calls the tool `count` with these arguments, and gives the text of its answer. Throws on every error, also on one that came as a result. */
  readonly call: (args: { readonly key: string }, options: { readonly timeoutMs: number }) => Promise<string>
  /** Ends the client as its documentation says. */
  readonly close: () => Promise<void>
}

export interface Client {
  /** What `--clients` calls it: the name of its file. */
  readonly id: string
  /** What tables call it, without the version. */
  readonly name: string
  /** The package that is measured; its version is read from where it is installed. */
  readonly package: string
  /** Whether the package is one of `rivals/package.json`. Default false: the workspace has it. */
  readonly rival?: boolean
  /** What `open` imports with `load`: it is there before the time of a client that has to connect begins. Default: the package. */
  readonly modules?: ReadonlyArray<string>
  readonly transports: ReadonlyArray<"stdio" | "http">
  /** Default: only 2025. */
  readonly protocols?: ReadonlyArray<Protocol>
  /** The page that it was set up from. */
  readonly documentation: string
  /**
   * Connects, and is ready for calls. Retries nothing, and begins no client anew, beyond what the documentation tells its users to
   * write. Rejects where it cannot connect; leaves nothing behind then.
   */
  readonly open: (target: Target, hooks: Hooks) => Promise<Opened>
  /** The same over a transport of Lifeline, for a client that accepts a Transport of the official SDK. */
  readonly underLifeline?: (transport: Transport, hooks: Hooks) => Promise<Opened>
}
