import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { renameSync, writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../fixtures/who.mjs", import.meta.url))
const blockedThread = new URL("../fixtures/blockedThread.mjs", import.meta.url).href

/** A busy machine takes long to start a server: calls wait for it. */
const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }

const who = { command: process.execPath, args: [script] }

const textOf = (mcpServers: object) => JSON.stringify({ mcpServers, lifeline })

const pipe = (path: string, name: string): string => {
  const file = join(path, name)
  execFileSync("mkfifo", [file])
  return file
}

const serve = Effect.fnUntraced(function*(env: Record<string, string> = {}) {
  const { base, file, program } = yield* Gateway.serve({ a: who }, [], env)
  const client = yield* TestClient.connect(`${base}/mcp`)
  const isServing = Effect.gen(function*() {
    const { status } = yield* Gateway.ask(`${base}/health`)
    const { content } = yield* Effect.promise(() => client.callTool({ name: "a__who", arguments: {} }))
    return status === 200 && Array.isArray(content)
  })
  return { client, file, isServing, path: dirname(file), program }
})

const ends = Effect.fnUntraced(function*(program: Program.Program) {
  program.signal("SIGTERM")
  expect(yield* program.ended).toEqual({ code: 0, signal: null })
})

describe.concurrent("files of the user that are none", () => {
  test.scopedLive("[X1:real] an envFile that is a pipe: others are served until it is written, and then it is read", function*() {
    const { client, file, isServing, path, program } = yield* serve()
    const secrets = pipe(path, ".env")
    writeFileSync(file, textOf({ a: who, b: { ...who, envFile: ".env" }, c: { ...who, envFile: secrets } }))
    // It is opened as soon as somebody reads it.
    const writing = writeFile(secrets, "WHO=a-secret\n")
    expect(yield* isServing).toBe(true)
    yield* Effect.promise(() => writing)
    yield* program.prints(/read again: started b, c; 1 not changed/)
    for (const name of ["b__who", "c__who"]) {
      const { content } = yield* Effect.promise(() => client.callTool({ name, arguments: {} }))
      expect(JSON.stringify(content)).toContain("a-secret")
    }
    yield* ends(program)
  })

  test.scopedLive("[X1:real] [G5] an mcp.json that becomes a pipe: nothing changes, and the next file is read", function*() {
    const { file, isServing, path, program } = yield* serve()
    renameSync(pipe(path, "pipe"), file)
    // Two looks later it is being read.
    yield* Effect.sleep("3 seconds")
    expect(yield* isServing).toBe(true)
    writeFileSync(join(path, "next"), textOf({ a: who, b: who }))
    renameSync(join(path, "next"), file)
    yield* program.prints(/read again: started b; 1 not changed/)
    yield* ends(program)
  })

  test.scopedLive("[X1:real] [G7] while an mcp.json that is a pipe is read, one signal ends the program", function*() {
    const path = yield* folder
    const file = pipe(path, "mcp.json")
    const program = yield* Program.start(["serve", "--port", "0", "--config", file])
    // Its handler of signals is there before it reads.
    const writer = yield* Effect.acquireRelease(
      Effect.promise(() => import("node:fs/promises").then(({ open }) => open(file, "w"))),
      (handle) => Effect.promise(() => handle.close())
    )
    yield* Effect.promise(() => writer.write("{"))
    yield* ends(program)
  })

  test.scopedLive("[X1:real] [G7] a file system that does not answer does not keep the program from ending", function*() {
    const path = yield* folder
    const env = { BLOCKED_BY: pipe(path, "pipe"), NODE_OPTIONS: `--import=${blockedThread}` }
    const { program } = yield* serve(env)
    program.signal("SIGTERM")
    expect(yield* program.ended).toEqual({ code: null, signal: "SIGKILL" })
    const second = yield* serve(env)
    second.program.signal("SIGTERM")
    // More than half a second later it is another signal.
    yield* Effect.sleep("600 millis")
    second.program.signal("SIGTERM")
    expect(yield* second.program.ended).toEqual({ code: null, signal: "SIGKILL" })
  })

  test.scopedLive("[X1:real] check, wrap and adopt say what is wrong with a file", function*() {
    const path = yield* folder
    const secrets = pipe(path, ".env")
    const file = join(path, "mcp.json")
    writeFileSync(file, textOf({ a: { ...who, envFile: ".env" }, b: { ...who, envFile: "/dev/zero" } }))
    const checking = yield* Effect.fork(Program.run(["check", file]))
    yield* Effect.promise(() => writeFile(secrets, "WHO=a-secret\n"))
    const checked = yield* checking
    expect(checked.code).toBe(1)
    expect(checked.stderr).toContain("names /dev/zero, and it is a device, not a file; name a file with")
    expect(checked.stderr).not.toContain(secrets)
    const wrapped = yield* Program.run(["wrap", "--header-file", "/dev/zero", "http://127.0.0.1:1/mcp"])
    expect(wrapped.code).toBe(2)
    expect(wrapped.stderr).toContain("--header-file /dev/zero cannot be read: it is a device, not a file")
    const adopted = yield* Program.run(["adopt", secrets, "--yes"])
    expect(adopted.code).toBe(1)
    expect(adopted.stdout).toContain(`${secrets} cannot be read: it is a named pipe, not a file`)
    const served = yield* Program.run(["serve", "--port", "0", "--token-file", "/dev/zero"])
    expect(served.stderr).toContain("/dev/zero: cannot read the token: it is a device, not a file")
    const keyed = yield* Program.run(["serve", "--port", "0", "--session-key-file", "/dev/zero"])
    expect(keyed.stderr).toContain("/dev/zero cannot be read: it is a device, not a file")
  })
})
