/**
 * Makes the sign-ins for the servers of a file.
 */
import type { Browser } from "@mcp-lifeline/sign-in/Browser"
import type { PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Either } from "effect"
import type { Scope } from "effect"
import type { Entry } from "../config/McpJson.js"
import { optionNames } from "./optionNames.js"
import * as PersonalSignIns from "./PersonalSignIns.js"

/** Whether a server may ask for a login: one over HTTP, without credentials in the configuration. Succeeds with its address. */
const addressOf = ({ server }: Entry): string | undefined => {
  if (
    server._tag === "Stdio" ||
    Object.keys({ ...server.headers, ...server.fromClient }).some((header) => header.toLowerCase() === "authorization")
  ) return undefined
  const { password, username } = Either.getOrElse(
    Either.try(() => new URL(server.url)),
    () => ({ password: "?", username: "" })
  )
  return username + password === "" ? server.url : undefined
}

/** Whether the configuration has headers, of which each may be a credential. */
const hasHeaders = ({ server }: Entry): boolean =>
  server._tag !== "Stdio" && Object.keys({ ...server.headers, ...server.fromClient }).length > 0

/** Makes a sign-in for each server that may ask for a login. Returns them by the names of the servers. */
export const forEntries = (
  entries: ReadonlyArray<Entry>,
  browser: Browser | undefined
): Effect.Effect<ReadonlyMap<string, SignIn.SignIn>, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const signIns = new Map<string, SignIn.SignIn>()
    for (const entry of entries) {
      const url = addressOf(entry)
      if (url === undefined) continue
      signIns.set(entry.name, yield* SignIn.make({ url, browser, optionNames, isAutomatic: !hasHeaders(entry) }))
    }
    return signIns
  })

/** The sign-ins of single clients to a server, if each has its own server, and that may ask for a login. `publicRedirects`: where people log in. */
export const ofClients = (
  entry: Entry,
  publicRedirects: PublicRedirects | undefined
): Effect.Effect<PersonalSignIns.PersonalSignIns | undefined, never, Scope.Scope | StateFolder> => {
  const url = entry.sessions === "per-client" ? addressOf(entry) : undefined
  return url === undefined ? Effect.succeed(undefined) : PersonalSignIns.make(url, publicRedirects)
}
