/**
 * A configuration as a JSON Schema, for editors: made from the tables by which it is read.
 */
import { type Check, Policy } from "@mcp-lifeline/core"
import * as Keys from "./keys.js"
import { gateway } from "./supervision.js"
import { homes } from "./Top.js"

const groups = () => Object.fromEntries(Policy.groups.map((group) => [group, { $ref: `#/definitions/${group}` }]))

const supervision = (others: Readonly<Record<string, Check.Check>>) => ({
  ...groups(),
  lifeline: {
    type: "object",
    properties: {
      ...groups(),
      ...Object.fromEntries(Object.entries(others).map(([name, { schema }]) => [name, schema ?? {}]))
    },
    additionalProperties: false
  }
})

const servers = { type: "object", additionalProperties: { $ref: "#/definitions/server" } }

/** One of these a server needs. */
const ways = () => [
  "command",
  "url",
  ...Object.entries(Keys.synonyms).flatMap(([name, same]) => same === "url" ? [name] : [])
]

/** The schema, draft 7. References such as `${VAR}` are strings to it, and it cannot say everything: `check` can. */
export const schema = (): Check.JsonSchema => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "MCP servers, and how Lifeline supervises them",
  type: "object",
  properties: {
    ...Object.fromEntries(homes.flatMap((path) => path.length === 1 && path[0] !== "mcp" ? [[path[0], servers]] : [])),
    ...supervision(gateway.ofAll)
  },
  definitions: {
    server: {
      type: "object",
      properties: { ...Keys.schemas(), ...supervision(gateway.ofServer) },
      additionalProperties: false,
      anyOf: ways().map((key) => ({ required: [key] }))
    },
    ...Policy.schemas()
  }
})
