import { describe, expect, it } from "@effect/vitest"
import { LoginFailure } from "@mcp-lifeline/protocol"
import * as State from "@mcp-lifeline/sign-in/State"
import * as fc from "effect/FastCheck"
import { quoted } from "../../../transport-stdio/src/quoted.js"
import { type Problem, Unstartable } from "../../../transport-stdio/src/WindowsCommand.js"
import * as WindowsFailure from "../../../transport-stdio/src/WindowsFailure.js"
import * as PublicText from "../../src/access/PublicText.js"

const address = "https://idp.example/authorize?state=s3cret&client_id=c1"

const login = (userCode: string | undefined, stepUp: boolean): string =>
  State.show({ _tag: "LoginNeeded", address, userCode, until: 0, stepUp })

const failed = LoginFailure.describe(
  new LoginFailure.LoginFailure({ status: 401, detail: "", address, cause: new Error("no") })
)

describe("a text about a shared server, for callers that are no admins", () => {
  it.each([
    ["a login in the browser", login(undefined, false), "a login is needed: an operator of the gateway has to sign in"],
    ["one with a code", login("WDJB-MJHT", false), "a login is needed: an operator of the gateway has to sign in"],
    [
      "one for more scopes",
      login("WDJB-MJHT", true),
      "the server requires more scopes than the last login granted: an operator of the gateway has to sign in"
    ],
    [
      "a failed connection",
      failed,
      "HTTP 401: the server requires a login: an operator of the gateway has to sign in; once that is done, the connection is made"
    ],
    [
      "a code alone",
      "Open the address in a browser to sign in and enter the code WDJB-MJHT",
      "Open the address in a browser to sign in and enter the code"
    ],
    [
      "another address",
      `HTTP 307: redirected to ${address}, another origin, (https://a.example/x).`,
      "HTTP 307: redirected to [address], another origin, ([address])."
    ],
    [
      "a command and its output",
      `"npx a-server --account \\"a b\\"" exited with code 1; stderr: call of anna: hunter2`,
      "its command exited with code 1"
    ],
    [
      "what it wrote to stdout",
      '"npx" exited with code 1; 2 lines on stdout were not JSON-RPC, first "hunter2", last "x"; stderr: y',
      '"npx" exited with code 1; 2 lines on stdout were not JSON-RPC'
    ],
    [
      "a command that does not exist",
      'command "/home/anna/a \\"b\\"" does not exist: install it, or give its full path',
      "its command does not exist: install it, or give its full path"
    ],
    [
      "arguments that belong elsewhere",
      'command "a --b [" contains arguments, as in command: "a", args: ["--b", "["]',
      "its command contains arguments, as in its command, its args"
    ],
    ["what is none of these", "HTTP 503: the server is not ready", "HTTP 503: the server is not ready"]
  ])("[G22:unit] says of %s who can do something, not where and how", (_, text, said) => {
    expect(PublicText.of(text, 'npx a-server --account "a b"')).toBe(said)
  })

  it("[G22:unit] knows a command that messages show only the beginning of", () => {
    const target = `a-server ${"x".repeat(300)}`
    const shown = JSON.stringify(`${target.slice(0, 200)}...`)
    expect(PublicText.of(`${shown} runs (pid 7)`, target)).toBe("its command runs (pid 7)")
    expect(PublicText.of(`command ${shown} was not found in PATH`, target)).toBe("its command was not found in PATH")
  })

  it("[G22:unit] knows where a quoted command or folder ends, whatever is in it", () => {
    const pieces = fc.constantFrom("\\", '"', " ", "C:", "x", "\n")
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (all) => {
        const text = all.join("")
        expect(PublicText.of(`cwd ${quoted(text)} does not exist: correct it`, "")).toBe(
          "its cwd does not exist: correct it"
        )
        expect(PublicText.of(`see command ${quoted(text)} and "more"`, "")).toBe('see its command and "more"')
      }),
      { numRuns: 2000 }
    )
    expect([quoted("C:\\x\\"), quoted('\\\\srv\\a \\"b\\" c')]).toEqual([
      String.raw`"C:\x\\"`,
      String.raw`"\\srv\a \\\"b\\\" c"`
    ])
  })

  it("[G22:unit] shows nothing of one that was cut", () => {
    for (const cut of ['cwd "/home/anna', 'cwd "C:\\home\\', 'cwd "', `cwd "${"x".repeat(20_000)}"`]) {
      expect(PublicText.of(cut, "")).toBe("its cwd")
    }
  })

  it.each<Problem>([
    { _tag: "NotFound", name: "a", neededBy: undefined, folders: ["C:\\secret"], extensions: [".exe"] },
    { _tag: "NotFound", name: "secret", neededBy: "C:\\secret.cmd", folders: ["C:\\secret"], extensions: [".exe"] },
    { _tag: "LineBreak", script: "C:\\secret.cmd" },
    { _tag: "TooLong", script: "C:\\secret.cmd", limit: 8191 }
  ])("[G22:unit] names no folder and no script of Windows: %j", (problem) => {
    const text = WindowsFailure.explain(new Unstartable(problem), {
      shown: `command ${quoted("C:\\secret\\a")}`,
      show: (text) => text,
      advice: "correct it"
    })
    expect(text).toContain("secret")
    expect(PublicText.of(text!, "")).toMatch(/its command (cannot be started|was not found)/)
    expect(PublicText.of(text!, "")).not.toContain("secret")
  })

  it("[G22:unit] keeps where a caller signs in itself, and no other address", () => {
    const text = `HTTP 401 of http://docs.internal/mcp: ${login("WDJB-MJHT", false)}, as https://b.example/x says`
    expect(PublicText.of(text, "http://docs.internal/mcp", true)).toBe(
      `HTTP 401 of its address: ${login("WDJB-MJHT", false)}, as [address] says`
    )
    expect(PublicText.of(`a ${address}: ${failed}; stderr: x`, "", true)).toBe(`a [address]: ${failed}`)
  })
})
