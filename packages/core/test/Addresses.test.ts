import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const page = "ui://app/main.html"
const listed = "file:///listed"

const contentOf = (id: string, { uri }: { readonly uri: string }) => ({ uri, text: `${uri} of ${id}` })

const server = (id: string, lists: ReadonlyArray<string>, handsOut: ReadonlyArray<string>) => {
  const connector = ScriptedConnector.make()
  connector.offer = {
    tools: [{
      ...ScriptedConnector.tool("show"),
      _meta: { ui: { resourceUri: handsOut[0] }, all: handsOut, other: "text" }
    }],
    prompts: [{ name: "ask" }],
    resources: lists.map((uri) => ({ uri, name: uri })),
    resourceTemplates: [{ name: "note", uriTemplate: `note:///${id}/{name}` }]
  }
  const content = handsOut.flatMap((uri) => [
    { type: "resource_link", uri, name: uri },
    { type: "resource", resource: { uri, text: "x" } }
  ])
  connector.respond = (method, params) => {
    return method === "tools/call"
      ? { answer: "result", result: { content: [{ type: "text", text: page }, ...content] } }
      : method === "prompts/get"
      ? { answer: "result", result: { messages: content.map((one) => ({ role: "user", content: one })) } }
      : method === "resources/read"
      ? { answer: "result", result: { contents: [contentOf(id, params as { readonly uri: string })] } }
      : undefined
  }
  return { connector, keepalive: { method: "none" as const } }
}

const elsewhere = ["https://example.org/a", "data:text/plain,a", "no address"]

describe("addresses that a server hands out", () => {
  test.scoped("[P6] lead back to it, from definitions, results and prompts, whoever else has them, and whether it lists them or not", function*() {
    const handedOut = [
      page,
      listed,
      "file:///unlisted",
      "note:///b/1",
      "lifeline://a/file%3A%2F%2F%2Flisted",
      "ui://app/unlisted"
    ]
    const a = server("a", [page, listed], [page])
    const b = server("b", [page], [...handedOut, ...elsewhere])
    const fleet = yield* Fleet.make({ backends: { a, b } })
    yield* fleet.ready
    const { content } = yield* fleet.callTool({ name: "b__show" })
    const { messages } = yield* fleet.getPrompt({ name: "b__ask" })
    const found = (blocks: ReadonlyArray<unknown>) =>
      blocks.flatMap((block) => {
        const { resource, uri } = block as { readonly uri?: string; readonly resource?: { readonly uri: string } }
        return uri ?? resource?.uri ?? []
      })
    const twice = [...handedOut, ...elsewhere].flatMap((uri) => [uri, uri])
    for (const uris of [found(content), found(messages.map((message) => message.content))]) {
      const original = yield* Effect.forEach(
        uris,
        (uri) =>
          elsewhere.includes(uri) ? Effect.succeed(uri) : Effect.map(
            fleet.readResource({ uri }),
            ({ contents: [one] }) => {
              expect(one?.uri).toBe(uri)
              return String(one && "text" in one && one.text)
            }
          )
      )
      expect(original).toEqual(twice.map((uri) => elsewhere.includes(uri) ? uri : `${uri} of b`))
    }
    // Hosts take an address for that of a user interface only by its scheme.
    const meta = Effect.map(fleet.catalog, ({ tools }) => tools.get("b__show")!.value._meta!)
    const { all, other, ui } = yield* meta
    expect([ui, other]).toEqual([{ resourceUri: "ui://lifeline/b/ui%3A%2F%2Fapp%2Fmain.html" }, "text"])
    expect(all).toEqual(
      handedOut.map((uri) => uri.startsWith("ui:") ? Fleet.scopedUri("b", uri) : uri).concat(elsewhere)
    )
    expect(yield* fleet.readResource({ uri: (ui as { resourceUri: string }).resourceUri })).toMatchObject({
      contents: [{ text: `${page} of b` }]
    })
    const { tools } = yield* fleet.catalog
    expect(tools.get("a__show")!.value._meta).toMatchObject({ ui: { resourceUri: page } })
    expect((yield* meta).ui).toBe(ui)
    // It has the name when the other has gone.
    yield* fleet.apply({ b })
    yield* TestClock.adjust(1000)
    expect((yield* meta).ui).toEqual({ resourceUri: page })
  })
})
