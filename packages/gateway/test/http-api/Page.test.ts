import { describe, expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as GatewayStatus from "../../src/http-api/GatewayStatus.js"

const page = readFileSync(new URL("../../../../docs/operations/api.md", import.meta.url), "utf8")

const fieldsIn = (section: string, from = "") => {
  const [, text = ""] = page.split(`\n## ${section}\n`)
  const [own = ""] = text.split("\n## ")
  const table = own.slice(own.indexOf(from)).match(/(?:^\|.*\n)+/m)?.[0] ?? expect.unreachable(`no table: ${section}`)
  return table.split("\n").flatMap((row) => [...(/^\|([^|]*)\|/.exec(row)?.[1] ?? "").matchAll(/`(\w+)`/g)])
    .map(([, name]) => name)
}

describe("docs/operations/api.md", () => {
  it.each([
    ["the gateway", fieldsIn("The gateway"), GatewayStatus.GatewayStatus.fields.gateway.fields],
    ["a replica", fieldsIn("The gateway", "`replicas`"), GatewayStatus.Replica.fields],
    ["a server", fieldsIn("A server"), GatewayStatus.Server.fields]
  ])("[G16:unit] has the fields of %s", (_, named, fields) => {
    expect(named.toSorted()).toEqual(Object.keys(fields).toSorted())
  })
})
