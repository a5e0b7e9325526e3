import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { grant, keep } from "../../../sign-in/test/support/grants.js"
import { folder } from "../../../testing/test/support/folder.js"
import { run } from "../../src/login/run.js"
import { environment } from "../support/environment.js"
import { loginOptions } from "../support/loginOptions.js"
import { mistake } from "../support/mistake.js"
import { describe, expect, test } from "../support/vitest.js"

const url = "https://mcp.example/mcp"

const written = Effect.fnUntraced(function*(stream: NodeJS.WriteStream) {
  const texts: Array<string> = []
  const write = () => vi.spyOn(stream, "write").mockImplementation((text) => texts.push(String(text)) > 0)
  yield* Effect.acquireRelease(Effect.sync(write), (spy) => Effect.sync(() => spy.mockRestore()))
  return texts
})

const setup = Effect.gen(function*() {
  const state = yield* folder
  yield* environment({ MCP_LIFELINE_STATE: state })
  yield* keep(StateFolder.make(state), { grants: [grant()] })
  return { state, stdout: yield* written(process.stdout), stderr: yield* written(process.stderr) }
})

describe("login, logout and auth on the streams of the process", () => {
  test.scopedLive("[A1] each does what was asked for in the state folder of the environment", function*() {
    const { state, stderr, stdout } = yield* setup
    yield* run({ _tag: "Auth", options: { json: true } })
    expect(JSON.parse(stdout.join(""))).toMatchObject([{ server: url, state: "valid" }])
    stdout.length = 0
    yield* run({ _tag: "Logout", options: { target: url, config: undefined, account: undefined, client: undefined } })
    expect(stdout).toEqual([`Signed out of ${url}\n`])
    expect(readdirSync(join(state, "grants"))).toEqual([])
    stdout.length = 0
    const options = loginOptions({ target: url, method: "credentials", browser: false })
    const failure = yield* Effect.flip(run({ _tag: "Login", options }))
    expect(failure).toEqual(mistake("--client-credentials needs --client-id"))
    expect([stdout, stderr]).toEqual([[], []])
  })

  test.scopedLive("[A1] warnings are lines of standard error, and reach no other log", function*() {
    const { state, stderr, stdout } = yield* setup
    const log = yield* Effect.acquireRelease(
      Effect.sync(() => vi.spyOn(console, "log").mockImplementation(() => {})),
      (spy) => Effect.sync(() => spy.mockRestore())
    )
    mkdirSync(join(state, "grants"), { recursive: true })
    writeFileSync(join(state, "grants", "broken.json"), "{", { mode: 0o600 })
    yield* run({ _tag: "Auth", options: { json: true } })
    expect(JSON.parse(stdout.join(""))).toHaveLength(1)
    expect(stderr).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d warn: [^\n]*broken\.json is not what this version[^\n]*\n$/)
    ])
    expect(log).not.toHaveBeenCalled()
  })
})
