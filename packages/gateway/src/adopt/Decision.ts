import type { Launcher } from "./Launcher.js"
import type { Patch } from "./Patch.js"

export interface Options {
  readonly platform: NodeJS.Platform
  readonly launcher: Launcher
  readonly isNamed: boolean
}

export type Decision =
  | { readonly _tag: "Wrap"; readonly patch: Patch; readonly note?: string }
  | { readonly _tag: "Wrapped" }
  | { readonly _tag: "Left"; readonly reason: string }

/** `reason` is a clause that begins with "it" or "its". */
export const left = (reason: string): Decision => ({ _tag: "Left", reason })

export interface Dialect {
  readonly command: "command" | "cmd"
  readonly env: "env" | "environment" | "envs"
  /** The `type` of such a server. */
  readonly local: "stdio" | "local"
  readonly isOneList: boolean
}
