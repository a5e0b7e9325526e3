import { LeftContainer, type Recorder, StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { join } from "node:path"
import { Containers } from "../../testing/test/support/Containers.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { call, connectOptions, eventually, pidOf, server } from "./support.js"

const makeRecorder = () => {
  const told: Array<unknown> = []
  const recorder: Recorder = {
    begin: () => {
      told.push("begin")
      return {
        env: { MARK: "m1" },
        started: (group) => told.push(group),
        ended: () => told.push("ended")
      }
    }
  }
  return { told, recorder }
}

describe.skipIf(process.platform === "win32")("the recorder of a connector", () => {
  test.scopedLive("[S12:real] hears of each process when it has started, and when nothing of its group is left", function*() {
    const { recorder, told } = makeRecorder()
    const pid = yield* Effect.scoped(Effect.gen(function*() {
      const connection = yield* StdioConnector.make(server(), recorder).connect(connectOptions)
      assert.include(yield* call(connection, "env"), `"MARK":"m1"`)
      return pidOf(connection)
    }))
    const graces = { stdinGrace: 600_000, termGrace: 600_000 }
    assert.deepStrictEqual(told, ["begin", { pid, ...graces, other: undefined }, "ended"])
  })

  test.scopedLive("[S12:real] hears nothing of what could not be started, or is not to be recorded", function*() {
    const { recorder, told } = makeRecorder()
    const missing = StdioConnector.make({ command: join("/", "no", "such", "program") }, recorder)
    yield* Effect.scoped(Effect.flip(missing.connect(connectOptions)))
    assert.deepStrictEqual(told.splice(0), ["begin"])
    yield* Effect.scoped(StdioConnector.make(server({}, { record: false }), recorder).connect(connectOptions))
    assert.deepStrictEqual(told, [])
  })

  test.scopedLive("[S12:real] gets what another process needs to remove the container, and nothing secret", function*() {
    const containers = yield* Effect.acquireRelease(
      Effect.sync(() => new Containers()),
      (one) => Effect.sync(() => one.remove())
    )
    const { recorder, told } = makeRecorder()
    const { args = [], command } = server({ ignoreStdinEnd: true })
    const options = {
      command: containers.program("docker"),
      args: ["--context", "there", "run", "-i", "image", command, ...args],
      env: { DOCKER_HOST: containers.folder, TOKEN: "hush-hush" },
      stdinGrace: 50,
      termGrace: 100
    }
    yield* StdioConnector.make(options, recorder).connect(connectOptions)
    const { other } = told[1] as { readonly other: object }
    const kept = JSON.parse(JSON.stringify(other)) as Record<string, unknown>
    assert.deepInclude(kept, { engine: [options.command, "--context", "there"], rm: false, termGrace: 100 })
    assert.include(kept["env"], { DOCKER_HOST: containers.folder, PATH: process.env["PATH"] })
    assert.notInclude(JSON.stringify(kept), "hush")
    const before = containers.log.length
    for (
      const wrong of [
        undefined,
        null,
        "docker",
        {},
        { ...kept, engine: ["/bin/sh", "-c", "exit"] },
        { ...kept, engine: [] },
        { ...kept, engine: "docker" },
        { ...kept, run: "x --all" },
        { ...kept, env: null },
        { ...kept, env: { A: 1 } },
        { ...kept, termGrace: "1" },
        { ...kept, cwd: 1 }
      ]
    ) yield* Effect.promise(() => LeftContainer.end(wrong))
    assert.lengthOf(containers.log, before)
    yield* Effect.promise(() => LeftContainer.end(kept))
    assert.deepStrictEqual(containers.ids, [])
    yield* eventually(() => told.includes("ended"))
  })
})
