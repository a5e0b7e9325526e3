import type { NeededSignIn } from "@mcp-lifeline/core"
import type { Grant } from "./Grant.js"

/** Times are milliseconds since 1970. */
export type State =
  | {
    /** The server has not asked for a login, and none is kept. */
    readonly _tag: "NotAsked"
  }
  | {
    readonly _tag: "SignedIn"
    readonly issuer: string
    readonly scope: string | undefined
    /** Of the access token; undefined where the server does not say. It is renewed before that, if `renewable`. */
    readonly expiresAt: number | undefined
    readonly renewable: boolean
  }
  | {
    /** A person has to log in. The address works while a process of this user waits for it, until `until`. */
    readonly _tag: "LoginNeeded"
    readonly address: string
    readonly until: number
    /** Whether a call needs more scopes than were granted. */
    readonly stepUp: boolean
  }
  | {
    /** The tokens could not be renewed; this passes by itself, without a login. */
    readonly _tag: "Later"
    readonly detail: string
  }
  | {
    /** There can be no login, or the last one failed. */
    readonly _tag: "Refused"
    readonly detail: string
  }

export const signedIn = ({ expiresAt, issuer, method, refresh, scope }: Grant): State => ({
  _tag: "SignedIn",
  issuer,
  scope,
  expiresAt,
  renewable: refresh !== undefined || method === "credentials"
})

/** One line, without secrets. */
export const show = (state: State): string => {
  switch (state._tag) {
    case "NotAsked":
      return "no login asked for"
    case "SignedIn":
      return `signed in at ${state.issuer}`
    case "LoginNeeded":
      return `${
        state.stepUp ? "the server requires more scopes than the last login granted" : "a login is needed"
      }: open ${state.address}`
    case "Later":
    case "Refused":
      return state.detail
  }
}

export const toDo = (state: State): string | undefined =>
  state._tag === "LoginNeeded" || state._tag === "Refused" ? show(state) : undefined

/** `isPersonal`: for a status that others read, too. */
export const needed = (state: State, isPersonal = false): NeededSignIn | undefined =>
  state._tag !== "LoginNeeded"
    ? undefined
    : isPersonal
    ? { message: "who uses it has to log in", address: "" }
    : { message: show(state), address: state.address }

/** Whether a person has to act first. Without more scopes the server can be used as before. */
export const isBlocking = (state: State): boolean =>
  state._tag === "Refused" || (state._tag === "LoginNeeded" && !state.stepUp)
