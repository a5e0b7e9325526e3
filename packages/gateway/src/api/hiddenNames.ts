/**
 * The names of what a caller may not use, which it must not read in a text about something else either. Pure.
 */
import type { Access } from "../access/Access.js"
import type { Gateway } from "./Gateway.js"

/** Says of a text whether it has such a name. One that has a short name by chance is taken for one that does. */
export const inTexts = (
  { servers }: Pick<Gateway, "servers">,
  { hasServer, hasTool, isWhole }: Access
): (text: string) => boolean => {
  if (isWhole) return () => false
  let names: ReadonlyArray<string> | undefined
  const found = (): ReadonlyArray<string> => {
    const hidden = servers.servers().flatMap(({ id }) => hasServer(id) ? [] : [id])
    // Tools of those servers, too: their names may say as much.
    const tools = [...servers.shared.listed().catalog.tools.values()].flatMap(({ backend, original }) =>
      hasTool(backend, original) || original === "" ? [] : [original]
    )
    return [...hidden, ...new Set(tools)]
  }
  return (text) => (names ??= found()).some((name) => text.includes(name))
}
