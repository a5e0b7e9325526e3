/** Servers in containers, which live on when the command that runs them was killed (S11). The engine is a stand-in that behaves like the real ones. */
import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Logger } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Containers } from "../../testing/test/support/Containers.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { Container } from "../src/Container.js"
import {
  call,
  connect,
  connected,
  connectOptions,
  eventually,
  isAlive,
  pidOf,
  reconnect,
  session,
  until
} from "./support.js"

const engine = Effect.acquireRelease(
  Effect.sync(() => new Containers()),
  (containers) => Effect.sync(() => containers.remove())
)

const kills = 2

const stubborn = { ignoreStdinEnd: true, ignoreTerm: true }

interface Run {
  readonly program?: string
  readonly before?: ReadonlyArray<string>
  readonly options?: ReadonlyArray<string>
  readonly image?: string
  readonly server?: StdioFaultServer.Options
  readonly more?: Partial<StdioConnector.Options>
}

const optionsOf = (
  containers: Containers,
  { before = ["run"], image = "image", more, options = ["-i", "--rm"], program = "docker", server = stubborn }: Run = {}
): StdioConnector.Options => {
  const { args, command } = StdioFaultServer.command(server)
  return {
    command: containers.program(program),
    args: [...before, ...options, image, command, ...args],
    env: { DOCKER_HOST: `unix://${containers.folder}` },
    stdinGrace: 50,
    termGrace: 100,
    ...more
  }
}

describe.skipIf(process.platform === "win32")("a server in a container", () => {
  const forms: ReadonlyArray<Run> = [
    { program: "docker", before: ["--context", "desktop", "container", "run"], options: ["-i"] },
    { program: "podman", options: ["--interactive", "--rm", "--name", "mine"] },
    { program: "docker", before: ["compose", "run"], options: ["--rm"] }
  ]
  for (const [index, form] of forms.entries()) {
    // What is known of the command does not change what happens then.
    const isKilled = index === 0
    const title = [form.program, ...form.before ?? ["run"], ...form.options ?? []].join(" ")
    test.scopedLive(`[S11:real] ${title}: has ended and is removed after a close${isKilled ? ", and after kill -9 of the command" : ""}`, function*() {
      const containers = yield* engine
      const given = optionsOf(containers, form)
      const { value } = yield* session(given, (connection) =>
        Effect.gen(function*() {
          const pid = Number(yield* call(connection, "pid"))
          assert.deepStrictEqual(containers.pids, [pid])
          return pid
        }))
      assert.isFalse(isAlive(value))
      assert.deepStrictEqual(containers.ids, [])
      if (!isKilled) return
      const second = yield* session(given, (connection) =>
        Effect.gen(function*() {
          const pid = Number(yield* call(connection, "pid"))
          process.kill(pidOf(connection), "SIGKILL")
          return pid
        }))
      assert.isFalse(isAlive(second.value))
      assert.deepStrictEqual(containers.ids, [])
    })
  }

  test.scopedLive("[S11:real] the next process starts when the container of the one before is gone, however often the command is killed", function*() {
    const containers = yield* engine
    yield* Effect.scoped(Effect.gen(function*() {
      const backend = yield* Backend.make("boxed", {
        connector: StdioConnector.make(optionsOf(containers)),
        // Nobody waits for the close of a connection; the next start waits for what matters to it.
        timeouts: { connect: "1 minute", close: 1 },
        reconnect
      })
      for (let generation = 1; generation <= kills; generation++) {
        process.kill(yield* connected(backend, generation), "SIGKILL")
      }
      yield* connected(backend, kills + 1)
      assert.strictEqual(containers.most, 1)
      assert.lengthOf(containers.ids, 1)
      assert.lengthOf(containers.log.filter((line) => line.startsWith("start ")), kills + 1)
    }))
    yield* eventually(() => containers.ids.length === 0)
  })

  test.scopedLive("[S11:real] what was killed unawares gets SIGTERM and its time; what had them gets no more", function*() {
    const containers = yield* engine
    const journal = join(containers.folder, "journal")
    const given = optionsOf(containers, { server: { ignoreStdinEnd: true, journal }, more: { termGrace: 1_500 } })
    yield* session(given, (connection) => {
      process.kill(pidOf(connection), "SIGKILL")
      // The end is known before the close, which would send SIGTERM.
      return Effect.async<void>((resume) => connection.onLost(() => resume(Effect.void)))
    })
    assert.include(containers.log.join("\n"), "stop -t 2 ")
    const before = containers.log.length
    yield* session(optionsOf(containers), () => Effect.void)
    assert.notInclude(containers.log.slice(before).join("\n"), "stop ")
    assert.include(containers.log.slice(before).join("\n"), "rm -f -v ")
  })

  test.scopedLive("[S11:real] one that the engine still makes when its command is killed is removed, too", function*() {
    const containers = yield* engine
    const given = optionsOf(containers, { image: "slow" })
    yield* connect(given).pipe(Effect.scoped, Effect.timeoutOption("100 millis"))
    assert.deepStrictEqual(containers.ids, [])
    yield* eventually(() =>
      containers.log.every((line) => !line.startsWith("start ")) ||
      containers.log.some((line) => line.startsWith("end "))
    )
    assert.deepStrictEqual(containers.ids, [])
  })

  test.scopedLive("[S11:real] a container of somebody else with the same name is left alone", function*() {
    const containers = yield* engine
    const options = ["-i", "--rm", "--name", "taken"]
    const theirs = yield* connect(optionsOf(containers, { options, more: { termGrace: 1_000 } }))
    const error = yield* Effect.scoped(Effect.flip(connect(optionsOf(containers, { options }))))
    assert.include(error.message, "is already in use")
    assert.strictEqual(yield* call(theirs, "echo", { text: "still here" }), "still here")
  })

  test.scopedLive("[S11:real] that it could not be removed is a warning that says how to find it, and no failure", function*() {
    const containers = yield* engine
    const warnings: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(String(message)))
    const given = optionsOf(containers)
    yield* session(given, () => Effect.sync(() => containers.break("down"))).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    assert.lengthOf(warnings, 1)
    assert.include(warnings[0], "may still run: ")
    assert.include(warnings[0], 'ps: Cannot connect to the daemon. Is it running?; find it with "')
    assert.match(warnings[0] ?? "", /docker ps -a --filter label=mcp-lifeline.run=[0-9a-f]{24}"/)
    warnings.length = 0
    const error = yield* Effect.scoped(Effect.flip(StdioConnector.make(given).connect(connectOptions))).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    assert.include(error.message, "Cannot connect to the daemon")
    assert.deepStrictEqual(warnings, [])
    containers.break("down", false)
  })

  test.scopedLive("[S11:unit] a removal that fails is tried again, and one that the engine does not answer is given up", function*() {
    const containers = yield* engine
    const warnings: Array<string> = []
    const container = (run: string, bound: number) =>
      new Container({ engine: [containers.program("docker")], run, rm: true }, {
        env: { PATH: process.env["PATH"] ?? "", DOCKER_HOST: containers.folder },
        cwd: undefined,
        termGrace: 0,
        ending: new Set(),
        warn: (message) => warnings.push(message)
      }, bound)
    containers.break("hangs")
    yield* Effect.promise(() => container("x", 300).end({ terminated: true, late: false, refused: false }))
    assert.include(warnings.splice(0).join(), "ps: no answer within 1 s; find it")
    // While our process exits, nothing is asked once the time for all containers is over.
    container("late", 60_000).removeNow(performance.now() - 1)
    assert.notInclude(containers.log.join(), "=late")
    containers.break("hangs", false)
    yield* connect(optionsOf(containers))
    const [id = ""] = containers.ids
    const [, run = ""] =
      /"mcp-lifeline\.run=([0-9a-f]+)"/.exec(readFileSync(join(containers.folder, `${id}.json`), "utf8")) ?? []
    containers.break("keeps")
    const removed = container(run, 60_000).end({ terminated: true, late: false, refused: false })
    yield* eventually(() => containers.log.filter((line) => line.startsWith("rm ")).length > 1)
    containers.break("keeps", false)
    yield* Effect.promise(() => removed)
    assert.deepStrictEqual(containers.ids, [])
    assert.deepStrictEqual(warnings, [])
  })

  test.scopedLive("[S11:real] without -i, a warning says that the server cannot read", function*() {
    const containers = yield* engine
    const warnings: Array<string> = []
    const logger = Logger.make<unknown, void>(({ message }) => void warnings.push(String(message)))
    const backend = yield* Backend.make("deaf", {
      connector: StdioConnector.make(optionsOf(containers, { options: ["--rm"] })),
      timeouts: { connect: "1 second", close: "1 minute" },
      reconnect: { ...reconnect, maxAttempts: 2 }
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    yield* until(backend, ({ lastError }) => lastError !== undefined)
    assert.lengthOf(warnings.filter((warning) => warning.includes("add -i after run")), 1)
  })
})
