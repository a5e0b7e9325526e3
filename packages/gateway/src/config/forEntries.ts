import type { Browser } from "@mcp-lifeline/sign-in/Browser"
import type { PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import type { Scope } from "effect"
import { issuerOption } from "../sign-in/options.js"
import * as OwnCredentials from "../sign-in/ownCredentials.js"
import * as PersonalSignIns from "../sign-in/PersonalSignIns.js"
import type { Entry } from "./McpJson.js"

/** Only a server over HTTP, without credentials in the configuration, may ask for a login. */
const loginOf = ({ server }: Entry): { readonly url: string; readonly isAutomatic: boolean } | undefined => {
  if (server._tag === "Stdio") return undefined
  const own = OwnCredentials.of(server.url, Object.keys({ ...server.headers, ...server.fromClient }))
  return own === "certain" ? undefined : { url: server.url, isAutomatic: own === "none" }
}

/** By the names of the servers. */
export const forEntries = (
  entries: ReadonlyArray<Entry>,
  browser: Browser | undefined
): Effect.Effect<ReadonlyMap<string, SignIn.SignIn>, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const signIns = new Map<string, SignIn.SignIn>()
    for (const entry of entries) {
      const login = loginOf(entry)
      if (login !== undefined) signIns.set(entry.name, yield* SignIn.make({ ...login, browser, issuerOption }))
    }
    return signIns
  })

/** `undefined` unless each client has its own server, which may ask for a login. `publicRedirects`: where people log in. */
export const ofClients = (
  entry: Entry,
  publicRedirects: PublicRedirects | undefined
): Effect.Effect<PersonalSignIns.PersonalSignIns | undefined, never, Scope.Scope | StateFolder> => {
  const login = entry.sessions === "per-client" ? loginOf(entry) : undefined
  return login === undefined ? Effect.succeed(undefined) : PersonalSignIns.make(login.url, publicRedirects)
}
