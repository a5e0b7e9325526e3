import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { readFileSync } from "node:fs"

const page = readFileSync(new URL("../../../../docs/reference/mcp-json.md", import.meta.url), "utf8")

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>
  readonly definitions: Readonly<Record<"server" | "secretCommand", Schema>>
}

const schema = McpConfig.schema() as unknown as Schema
const { secretCommand, server } = schema.definitions

const section = (heading: string): string => new RegExp(`^## ${heading}$[^]*?(?=^## )`, "m").exec(page)?.[0] ?? ""

const codes = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)

const rows = (heading: string): ReadonlyArray<ReadonlyArray<string>> =>
  section(heading).split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| key"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

const keys = (heading: string): ReadonlyArray<string> => rows(heading).flatMap(([first = ""]) => codes(first))

describe("docs/reference/mcp-json.md", () => {
  it("[G2:unit] lists every key of a server, and no other", () => {
    const ofOthers = codes(/^Keys of other programs [^]*?\./m.exec(section("Problems"))?.[0] ?? "")
      .filter((key) => key !== "inputs")
    expect([...new Set([...keys("Keys of a server"), ...ofOthers])].toSorted())
      .toEqual(Object.keys(server.properties).toSorted())
  })

  it("[G2:unit] lists every key of lifeline, with its places, and no other", () => {
    const groups = new Set(Object.keys(schema.properties))
    const own = (place: string, { properties }: Schema) =>
      Object.keys(properties).filter((key) => !groups.has(key)).map((key) => `lifeline.${key} ${place}`)
    const accepted = [...own("top", schema.properties["lifeline"]!), ...own("server", server.properties["lifeline"]!)]
    const listed = rows("Keys at the top").flatMap(([key = "", where = ""]) =>
      where.split(", ").map((place) => `${codes(key)[0]} ${place}`)
    )
    expect(listed.toSorted()).toEqual(accepted.toSorted())
  })

  it("[G2:unit] lists every place of servers, and every key of a command that writes a secret", () => {
    const places = Object.keys(schema.properties).filter((key) => !Object.hasOwn(server.properties, key))
    expect(keys("Where the servers are")).toEqual(expect.arrayContaining(places))
    expect(keys("Secrets from a command").toSorted()).toEqual(Object.keys(secretCommand.properties).toSorted())
  })
})
