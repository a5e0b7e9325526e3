/** Which part of a server's lists its clients get: cached lists are those of this part, and of no other. */
import { PinStore, type ServerOptions } from "@mcp-lifeline/extensions"
import { Effect } from "effect"
import type { Server } from "../config/Backends.js"
import { digest } from "../files/digest.js"

/** `undefined` where clients get all. */
export const offerOf = ({ pin = "off", prompts, resources, tools }: ServerOptions.ServerOptions): unknown => {
  const filters = Object.entries({ tools, prompts, resources }).flatMap(([kind, one]) =>
    one?.hide === undefined && one?.only === undefined ? [] : [{ kind, hide: one.hide, only: one.only }]
  )
  return filters.length === 0 && pin === "off" ? undefined : { filters, pin }
}

/** Not where tools are to be approved, and nobody knows what was. */
export const mayShowCached = (
  { pin }: Pick<ServerOptions.ServerOptions, "pin">,
  store: PinStore.PinStore | undefined
): Effect.Effect<boolean> =>
  pin !== "block" || store === undefined
    ? Effect.succeed(true)
    : Effect.map(store.get, (found) => !PinStore.isUnreadable(found))

/** `client`: if the server is started for one. `undefined` if nothing cached may be shown. */
export const identityOf = (
  server: Server,
  client: string,
  store: PinStore.PinStore | undefined
): Effect.Effect<string | undefined> =>
  Effect.map(mayShowCached(server, store), (mayShow) => {
    const { identity } = server
    const offer = offerOf(server)
    if (identity === undefined || !mayShow) return undefined
    const more = [...(client === "" ? [] : [client]), ...(offer === undefined ? [] : [{ offer }])]
    return more.length === 0 ? identity : digest([identity, ...more])
  })
