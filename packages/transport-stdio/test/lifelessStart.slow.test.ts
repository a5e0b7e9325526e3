/** Processes that do nothing, and those of which something says that they wait: by default a start may take minutes. */
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { eventually, isAlive, reconnect, temporary, until } from "./support.js"

const shown = process.platform === "linux" ? describe.concurrent : describe.skip

const program = (body: string): string =>
  `require("fs").appendFileSync(process.env.STARTS, process.pid + "\\n"); ${body}; setInterval(() => {}, 1e9)`

const started = (body: string, words: ReadonlyArray<string> = [process.execPath]) =>
  Effect.gen(function*() {
    const folder = yield* temporary
    const [path, journal] = [join(folder, "server.cjs"), join(folder, "starts")]
    writeFileSync(path, program(body))
    const [command = "", ...args] = words.map((word) => word.replace("SERVER", path))
    const backend = yield* Backend.make("lifeless", {
      connector: StdioConnector.make({
        command,
        args: words.some((word) => word.includes("SERVER")) ? args : [...args, path],
        env: { STARTS: journal },
        cwd: folder
      }),
      reconnect: { ...reconnect, initialDelay: 500 }
    })
    const starts = () => existsSync(journal) ? readFileSync(journal, "utf8").trim().split("\n").map(Number) : []
    return { backend, starts }
  })

const ended = ({ backend, starts }: Effect.Effect.Success<ReturnType<typeof started>>) =>
  Effect.gen(function*() {
    const isEnded = /^no connection after .*: its processes read nothing and do nothing/
    const { lastError = "" } = yield* until(backend, ({ lastError = "" }) => isEnded.test(lastError))
    yield* eventually(() => starts().length > 1)
    assert.isFalse(isAlive(starts()[0]!))
    return lastError
  })

const timeout = 180_000

shown("a start that shows no sign of life", () => {
  test.scopedLive("[V5:real] is ended, and begun anew", function*() {
    const error = yield* ended(yield* started(`process.stdin.on("data", () => {})`))
    assert.match(
      error,
      /but has not answered initialize: check that .* start an MCP server over stdio, and not one that waits for Content-Length/
    )
  }, timeout)

  test.scopedLive(
    "[V5:real] is ended also below a shell, and with a pair of sockets with which a loop wakes itself",
    function*() {
      const pair = `require("child_process").fork(process.argv[1], { env: { STARTS: "/dev/null", LAST: "1" } })`
      yield* ended(
        yield* started(`if (!process.env.LAST) ${pair}`, ["sh", "-c", `'${process.execPath}' 'SERVER'; true`])
      )
    },
    timeout
  )

  test.scopedLive(
    "[V5:real W5:real] is ended also where npx has started it, which keeps a connection to its registry",
    function*() {
      const folder = yield* temporary
      const npx = join(folder, "npx")
      const registry =
        `const server = require("net").createServer().listen(0, () => require("net").connect(server.address().port))`
      writeFileSync(
        npx,
        `#!${process.execPath}\n${registry}; setInterval(() => require("fs").readFileSync(__filename), 1000); `
          + `require("child_process").spawn(process.execPath, [process.argv[2]], { stdio: "inherit" })`,
        { mode: 0o755 }
      )
      yield* ended(yield* started("", [npx]))
    },
    timeout
  )
})

const kept: ReadonlyArray<readonly [string, string]> = [
  ["it listens for a redirect", `require("net").createServer().listen(0, "127.0.0.1")`],
  ["it has a socket", `require("dgram").createSocket("udp4").bind(0, "127.0.0.1")`],
  ["it has said something", `process.stderr.write("open http://127.0.0.1/\\n")`],
  ["it asks something on stdout", `process.stdout.write("Proceed? (y) ")`],
  ["it waits for a process that it has started", `require("child_process").spawn("sleep", ["1000"])`]
]

shown("a start that does nothing", () => {
  for (const [what, body] of kept) {
    test.scopedLive(`[V5:real] is kept where ${what}`, function*() {
      const server = yield* started(body)
      // An attempt ends after 30 s, the next ones wait for the same start.
      yield* until(server.backend, ({ lastError = "" }) => lastError.includes("may take 5m"))
      yield* Effect.sleep("12 seconds")
      const { lastError, verdict } = yield* server.backend.status
      assert.lengthOf(server.starts(), 1)
      assert.match(lastError ?? "", /starting for .*may wait for a process that it has started, or for a person/)
      assert.match(verdict?.reason ?? "", /^starting for (?:[4-9]\ds|\dm.*): it may wait/)
    }, timeout)
  }
})
