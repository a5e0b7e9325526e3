/**
 * Made from the tables with which Lifeline reads the configuration.
 */
import { type Check, SecretCommand } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Record } from "effect"
import * as Keys from "./keys.js"
import { gateway } from "./supervision.js"
import * as ToolLists from "./toolLists.js"
import { homes } from "./Top.js"

const groups = () =>
  Object.fromEntries(ServerOptions.groups.map((group) => [group, { $ref: `#/definitions/${group}` }]))

/** Other programs keep other things here, but what has the names of our lists is a list. */
const toolsOfOthers = {
  type: "object",
  properties: Record.map(ListFilter.schemas, (schema) => ({ anyOf: [schema, { type: "object" }] }))
}

const supervision = (others: Readonly<Record<string, Check.Check>>, isEntry: boolean) => ({
  ...groups(),
  tools: { anyOf: [{ $ref: "#/definitions/tools" }, toolsOfOthers, ...(isEntry ? [ToolLists.schema] : [])] },
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

const addresses = () => Object.keys(Keys.synonyms).filter((key) => Keys.synonyms[key] === "url")

/** Draft 7, for editors. References such as `${VAR}` are strings. `mcp-lifeline check` finds problems that it cannot express. */
export const schema = (): Check.JsonSchema => ({
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "https://unpkg.com/mcp-lifeline/schema.json",
  title: "MCP servers, and how Lifeline supervises them",
  type: "object",
  properties: {
    ...Object.fromEntries(homes.flatMap((path) => path.length === 1 && path[0] !== "mcp" ? [[path[0], servers]] : [])),
    ...supervision(gateway.ofAll, false)
  },
  definitions: {
    server: {
      type: "object",
      properties: { ...Keys.schemas(), ...supervision(gateway.ofServer, true) },
      additionalProperties: false,
      anyOf: [
        ...["command", "url", ...addresses()].map((key) => ({ required: [key] })),
        { required: ["transport"], properties: { transport: { type: "object" } } }
      ]
    },
    secretCommand: SecretCommand.check.schema,
    ...ServerOptions.schemas()
  }
})
