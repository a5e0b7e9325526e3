import { Effect } from "effect"
import * as RawServer from "../support/RawServer.js"
import { talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const speaking = (id: string) => {
  const says: Array<(message: object) => void> = []
  const server = RawServer.make(id, ({ method, params }, send) => {
    if (method === "resources/subscribe" || method === "logging/setLevel") return {}
    if (method === "resources/list") return { resources: [{ uri: `x://${id}`, name: id }] }
    if (method !== "initialize") return undefined
    says.push((message) => send({ jsonrpc: "2.0", ...message }))
    return {
      ...RawServer.usual["initialize"]!(params),
      capabilities: { logging: {}, resources: { subscribe: true }, tools: {} }
    }
  })
  const say = (method: string, params: object) => Effect.sync(() => says.forEach((one) => one({ method, params })))
  return { say, server }
}

describe("a client whose rules change", () => {
  test.scopedLive("[G22 W3:real] hears nothing more of a server that it may not use any more, and goes on with the others", function*() {
    const [kept, lost] = [speaking("kept"), speaking("lost")]
    const { change, url } = yield* team([kept.server, lost.server], { ci: {} })
    const ci = yield* talking(url, "ci-token")
    yield* Effect.promise(async () => {
      await ci.result("logging/setLevel", { level: "warning" })
      for (const id of ["kept", "lost"]) await ci.result("resources/subscribe", { uri: `x://${id}` })
    })
    yield* Effect.promise(() => ci.listen())
    /** Both say all they have to say. `updates`: of how many resources the client hears. */
    const round = Effect.fnUntraced(function*(updates: number) {
      for (const { say } of [lost, kept]) {
        yield* say("notifications/message", { level: "debug", data: 1 })
        yield* say("notifications/message", { level: "error", data: 1 })
      }
      yield* lost.say("notifications/resources/updated", { uri: "x://lost" })
      // What comes last shows that the others have come.
      yield* kept.say("notifications/resources/updated", { uri: "x://kept" })
      yield* Effect.promise(() => ci.until("notifications/resources/updated", updates))
    })
    const heard = () =>
      ci.heard.splice(0).flatMap(({ method, params }) =>
        method === "notifications/message"
          ? [`${params?.level} of ${params?.logger}`]
          : method === "notifications/resources/updated"
          ? [params?.uri]
          : []
      ).toSorted()
    yield* round(2)
    expect(heard()).toEqual(["error of kept", "error of lost", "x://kept", "x://lost"])
    yield* change({ ci: { servers: ["kept"] } })
    yield* round(1)
    expect(heard()).toEqual(["error of kept", "x://kept"])
    yield* change({ ci: {} })
    yield* round(2)
    expect(heard()).toEqual(["error of kept", "error of lost", "x://kept", "x://lost"])
  })
})
