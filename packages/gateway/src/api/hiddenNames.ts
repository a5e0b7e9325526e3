/**
 * The names of what a caller may not use, which it must not read in a text about something else either.
 */
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
import type { Gateway } from "./Gateway.js"
import { pinStatusOf } from "./pinStatusOf.js"

/** The tools that pins tell of: those that are withheld or gone are in no catalogue. */
const pinnedTools = (pool: Gateway["servers"]) =>
  Effect.forEach(
    pool.servers(),
    ({ id }) =>
      Effect.map(pinStatusOf(pool, id), (pins) => (pins?.changes ?? []).map(({ tool }) => ({ server: id, tool })))
  )

/** Says of a text whether it has such a name. One that has a short name by chance is taken for one that does. */
export const inTexts = (
  { servers }: Pick<Gateway, "servers">,
  { hasServer, hasTool, isWhole }: Access
): Effect.Effect<(text: string) => boolean> => {
  if (isWhole) return Effect.succeed(() => false)
  return Effect.map(pinnedTools(servers), (pinned) => {
    const hidden = servers.servers().flatMap(({ id }) => hasServer(id) ? [] : [id])
    const offered = Array.from(
      servers.shared.listed().catalog.tools.values(),
      ({ backend, original }) => ({ server: backend, tool: original })
    )
    // Tools of those servers, too: their names may say as much.
    const tools = [...offered, ...pinned.flat()].flatMap(({ server, tool }) =>
      hasTool(server, tool) || tool === "" ? [] : [tool]
    )
    const names = [...hidden, ...new Set(tools)]
    return (text) => names.some((name) => text.includes(name))
  })
}
