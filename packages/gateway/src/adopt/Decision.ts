/**
 * What is to be done with one server of a configuration, and the words of its host.
 */
import type { Edit } from "./Edit.js"

export type Decision =
  | { readonly _tag: "Wrap"; readonly edits: ReadonlyArray<Edit>; readonly note?: string }
  /** It is wrapped already. */
  | { readonly _tag: "Wrapped" }
  /** It stays as it is. */
  | { readonly _tag: "Left"; readonly reason: string }

/** It stays as it is. `reason` is a clause that begins with "it" or "its". */
export const left = (reason: string): Decision => ({ _tag: "Left", reason })

/** The words of a host for what it starts. */
export interface Dialect {
  readonly command: "command" | "cmd"
  readonly env: "env" | "environment" | "envs"
  /** What `type` says of a server that is started. */
  readonly local: "stdio" | "local"
  /** Whether command and arguments are one list. */
  readonly isOneList: boolean
}
