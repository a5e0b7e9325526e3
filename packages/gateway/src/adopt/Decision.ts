/**
 * The decision about one server of a configuration, and the keys that its host uses.
 */
import type { Edit } from "./Edit.js"
import type { Launcher } from "./Launcher.js"

/** What a decision depends on, beside the server. */
export interface Options {
  readonly platform: NodeJS.Platform
  /** The words that start Lifeline. */
  readonly launcher: Launcher
  /** Whether the user has named this server. */
  readonly isNamed: boolean
}

export type Decision =
  | { readonly _tag: "Wrap"; readonly edits: ReadonlyArray<Edit>; readonly note?: string }
  /** The server is wrapped already. */
  | { readonly _tag: "Wrapped" }
  /** The server stays as it is. */
  | { readonly _tag: "Left"; readonly reason: string }

/** The decision to leave a server as it is. `reason` is a clause that begins with "it" or "its". */
export const left = (reason: string): Decision => ({ _tag: "Left", reason })

/** The keys and values of a host for a server that it starts. */
export interface Dialect {
  readonly command: "command" | "cmd"
  readonly env: "env" | "environment" | "envs"
  /** The `type` of a server that the host starts. */
  readonly local: "stdio" | "local"
  /** Whether command and arguments stand in one list. */
  readonly isOneList: boolean
}
