import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { eras } from "../../../testing/test/support/Built.js"
import { gateway, type Talk } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const modern = { id: "s", connector: StdioConnector.make({ command: process.execPath, args: [eras, "2026"] }) }

const capabilities = { elicitation: { form: {} } }

const person = (name: string) => ({
  capabilities,
  answers: { "elicitation/create": () => ({ action: "accept", content: { name } }) }
})

const asks = (client: Talk) =>
  Effect.promise(async () => {
    await client.toolsWith("s__asks")
    return JSON.parse(await client.call("s__asks"))
  })

describe.concurrent("what a shared server without sessions asks in place of a result", () => {
  test.scopedLive("[E8] [G3] a client with a session is asked there, and no other client", function*() {
    const { client } = yield* gateway([modern])
    const clients = yield* Effect.all([client(person("Ada")), client(person("Eve"))])
    const answered = yield* Effect.all(clients.map(asks), { concurrency: "unbounded" })
    expect(answered.map(({ content }) => content)).toEqual([{ name: "Ada" }, { name: "Eve" }])
    for (const one of clients) {
      expect(one.said.filter(({ method }) => method === "elicitation/create")).toHaveLength(1)
    }
  })

  test.scopedLive("[E8] a client that cannot answer is not asked, and the call fails with why", function*() {
    const { client } = yield* gateway([modern])
    const one = yield* client()
    const { error } = yield* Effect.promise(async () => {
      await one.toolsWith("s__asks")
      return one.request("tools/call", { name: "s__asks" })
    })
    expect(error?.message).toMatch(/capabilit/)
    expect(one.said.filter(({ method }) => method === "elicitation/create")).toEqual([])
  })

  const asked = Effect.gen(function*() {
    const { client } = yield* gateway([modern])
    const one = yield* client({ capabilities })
    const question = yield* Effect.promise(async () => {
      await one.toolsWith("s__asks")
      one.send({ id: "x", method: "tools/call", params: { name: "s__asks" } })
      return one.until(() => one.said.find(({ method }) => method === "elicitation/create"))
    })
    return { one, question }
  })

  test.scopedLive("[E8] a call that is cancelled asks nothing any more", function*() {
    const { one, question } = yield* asked
    expect(question.about).toBe("x")
    one.notify("notifications/cancelled", { requestId: "x" })
    const cancelled = yield* Effect.promise(() => one.until(() => one.notified("notifications/cancelled")[0]))
    expect(cancelled.params?.["requestId"]).toBe(question.id)
    expect(one.said.filter(({ id }) => id === "x")).toEqual([])
  })

  test.scopedLive("[E8] a client that refuses makes the call fail with what was asked", function*() {
    const { one, question } = yield* asked
    one.send({ id: question.id, error: { code: -32_603, message: "not now" } })
    const { error } = yield* Effect.promise(() => one.until(() => one.said.find(({ id }) => id === "x")))
    const why = /elicitation\/create, which the server wants before it answers tools\/call, failed: .*not now/
    expect(error?.message).toMatch(why)
  })
})
