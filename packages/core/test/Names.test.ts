import type { BackendUnavailable, RemoteError } from "@mcp-lifeline/core"
import { assert, describe, it } from "vitest"
import { longestUri } from "../src/catalog/Kind.js"
import * as Template from "../src/catalog/Template.js"
import * as Names from "../src/fleet/names.js"
import * as Unknown from "../src/fleet/Unknown.js"

const x = (length: number): string => "x".repeat(length)

describe("names and URIs that clients send", () => {
  it("[P6, X5:unit] are looked up only where they are as short as those that are offered", () => {
    const prefix = "up_"
    const hash = "_0123abcd"
    assert.isTrue(Names.mayName("up", `${prefix}${x(64 - prefix.length - hash.length)}${hash}`))
    assert.isFalse(Names.mayName("up", `${prefix}${x(65 - prefix.length - hash.length)}${hash}`))
    const scoped = (length: number): string => `lifeline://up/${x(length - "lifeline://up/".length)}`
    assert.strictEqual(Names.parseScopedUri(scoped(10 * longestUri))?.backend, "up")
    assert.isUndefined(Names.parseScopedUri(scoped(10 * longestUri + 1)))
    assert.isTrue(Template.matches("x{+rest}", x(longestUri)))
    assert.isFalse(Template.matches("x{+rest}", x(longestUri + 1)))
  })

  it("[P6, X5:unit] the longest URI of a server is known by its scoped one, whatever its characters are", () => {
    for (const character of ["x", "%", "\u4e00"]) {
      const uri = character.repeat(longestUri)
      assert.deepStrictEqual(Names.parseScopedUri(Names.scopedUri("up", uri) ?? ""), { backend: "up", uri })
    }
  })

  it("[P6, X5:unit] are cut where an error repeats them", () => {
    const none = { backends: ["up"], prefixOf: Names.prefixOf, catalogs: [] }
    const long = x(100_000)
    const cut = `${x(200)}… [cut: 100000 characters]`
    assert.strictEqual(Unknown.backend(long, ["up"]).message, `there is no server "${cut}"; there are: up`)
    const tool = Unknown.entry("tools", long, none) as RemoteError
    assert.strictEqual(tool.message, `no server offers the tool "${cut}"; see the list of tools`)
    assert.deepStrictEqual(tool.data, { name: `${x(longestUri)}… [cut: 100000 characters]` })
    const said = Unknown.entry("tools", `${long}__echo`, none) as BackendUnavailable
    assert.isBelow(said.message.length, 1000)
    assert.deepStrictEqual((Unknown.entry("resources", x(longestUri), none) as RemoteError).data, {
      name: x(longestUri)
    })
  })
})
