/**
 * What is not to be shown of a configuration: values of variables and headers, and what sounds like a secret. Pure.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { Entry } from "../config/McpJson.js"

/** What is open stands for no name, so that each character is looked at once. */
const references = /\{(env:|input:)?([^{}:]{1,1000})(?=\}|:-)/g

/** The values that references in the text stand for, where the variable sounds like a secret; those of inputs always do. */
const referred = (source: string, env: McpConfig.Variables): ReadonlyArray<string> =>
  [...source.matchAll(references)].flatMap(([, kind, name = ""]) => {
    const capitals = name.toUpperCase().replace(/[^A-Z0-9]+/g, "_")
    const values = kind === "input:" ? [env[name], env[capitals]] : [env[name]]
    return values.flatMap((value) => value === undefined ? [] : [`${kind === "input:" ? "SECRET" : name}=${value}`])
  })

/** Takes the secrets of a file out of texts. */
export const masker = (
  source: string,
  entries: ReadonlyArray<Entry>,
  env: McpConfig.Variables
): (text: string) => string => {
  const own = entries.flatMap(({ server }) =>
    server._tag === "Stdio"
      ? Secrets.collect(server.env, server.args)
      : Secrets.collect(server.headers, [server.url])
  )
  const all = [...own, ...Secrets.collect(undefined, referred(source, env))].toSorted((a, b) => b.length - a.length)
  return (text) => Secrets.mask(all, text)
}
