import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Proof from "../../src/instances/Proof.js"
import * as RunningGateways from "../../src/instances/RunningGateways.js"
import * as Background from "../../src/join/Background.js"
import { connector } from "../../src/join/join.js"
import { describe, expect, test } from "../support/vitest.js"

const gateway = Effect.fnUntraced(function*(secret: ReturnType<typeof SealedId.randomSecret>) {
  const asked: Array<string | undefined> = []
  const state = { isOurs: true }
  const url = yield* listening(createServer(({ headers, url = "" }, response) => {
    if (url.startsWith(Proof.path)) {
      response.end(state.isOurs ? Proof.answer(secret, url) : "another program")
      // What comes next is for another program.
      if (asked.length > 0) state.isOurs = false
    } else {
      asked.push(headers.authorization)
      response.writeHead(404).end()
    }
  }))
  return { asked, state, url }
})

const failureIn = (state: string, file: string) =>
  Effect.flip(Effect.provide(Background.reach({ file, linger: 1 }), StateFolder.layerAt(state)))

describe("the gateway of a file", () => {
  test.scopedLive("[G14] is the one that serves this file, and no other is started", function*() {
    const state = StateFolder.make(yield* folder)
    const secret = SealedId.randomSecret()
    const { url } = yield* gateway(secret)
    const { url: other } = yield* gateway(secret)
    const found = yield* Effect.gen(function*() {
      const one = { startedAt: 1, token: null, secret }
      yield* RunningGateways.register({ ...one, url: other, config: "/other.json" })
      yield* RunningGateways.register({ ...one, url, config: "/this.json" })
      return yield* Background.reach({ file: "/this.json", linger: 1 })
    }).pipe(Effect.provideService(StateFolder.StateFolder, state))
    expect(found.url).toBe(url)
  })

  test.scopedLive("[G14] where the state folder cannot be used, none is started, and the reason is named", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    const error = yield* failureIn(file, "/this.json")
    expect(error).toMatchObject({ permanent: true, reason: "spawn" })
    expect(error.message).toContain("make it writable or name another with MCP_LIFELINE_STATE")
  })

  test.scopedLive.each(
    [["process.exit(0)", false], ["process.kill(process.pid)", false], ["process.exit(2)", true]] as const
  )("[G14] one that ends before it serves: %s", function*([source, isPermanent]) {
    const path = yield* folder
    const program = join(path, "program.cjs")
    writeFileSync(program, source)
    const [, ours = ""] = process.argv
    yield* Effect.acquireRelease(
      Effect.sync(() => void (process.argv[1] = program)),
      () => Effect.sync(() => void (process.argv[1] = ours))
    )
    const error = yield* failureIn(path, join(path, "mcp.json"))
    expect(error).toMatchObject({ permanent: isPermanent, message: "the gateway did not start: it has said nothing" })
  })

  test.scopedLive("[X6] whoever has taken its port since it was found is sent nothing", function*() {
    const state = StateFolder.make(yield* folder)
    const secret = SealedId.randomSecret()
    const { asked, url } = yield* gateway(secret)
    // The first proof is for whoever looks for the gateway; then it is gone.
    asked.push("not yet")
    const error = yield* Effect.gen(function*() {
      yield* RunningGateways.register({
        url,
        config: "/this.json",
        startedAt: 1,
        token: SealedId.randomSecret(),
        secret
      })
      const { connect } = yield* connector({ file: "/this.json", linger: 1 })
      const options = { clientInfo: { name: "c", version: "1" }, capabilities: {}, report: () => {} }
      return yield* Effect.flip(Effect.scoped(connect(options as never)))
    }).pipe(Effect.provideService(StateFolder.StateFolder, state))
    expect(error.reason).toBe("refused")
    expect(asked).toEqual(["not yet"])
  })
})
