import { Effect, Redacted } from "effect"
import { resolve } from "node:path"
import * as Cli from "../../src/Cli.js"
import type { UsageError } from "../../src/text/Errors.js"
import { loginOptions } from "../support/loginOptions.js"
import { mistake } from "../support/mistake.js"
import { describe, expect, test } from "../support/vitest.js"

const parse = (args: ReadonlyArray<string>, variables: Readonly<Record<string, string>> = {}) =>
  Effect.try({ try: () => Cli.read(args, variables), catch: (error) => error as UsageError })

const url = "https://docs.example/mcp"

const client = { id: undefined, issuer: undefined, secret: undefined, signingKey: undefined, document: undefined }
const plain = loginOptions({ target: url, client: client as never })

const login = (...args: ReadonlyArray<string>) => parse(["login", url, ...args])

const helpOf = (command: string) =>
  Effect.map(parse([command, "--help"]), (request) => request._tag === "Text" ? request.text : undefined)

describe("the command line of login, logout and auth", () => {
  test.effect("[A1] a login needs no more than a server", function*() {
    expect(yield* login()).toStrictEqual({ _tag: "Login", options: plain })
  })

  test.effect("[A1] each option of a login arrives", function*() {
    const given = {
      "--config": "mcp.json",
      "--account": "work",
      "--client-id": "mine",
      "--client-issuer": "https://login.example",
      "--client-secret": "hush",
      "--client-key-file": "key.pem",
      "--client-key-algorithm": "RS256",
      "--client-metadata-url": "https://me.example/client",
      "--scope": "read write",
      "--callback-port": "8080"
    }
    const request = yield* parse(["login", "docs", ...Object.entries(given).flat()])
    const signingKey = { file: resolve("key.pem"), algorithm: "RS256" }
    const issued = { id: "mine", issuer: "https://login.example", secret: Redacted.make("hush") }
    const client = { ...issued, signingKey, document: "https://me.example/client" }
    const named = { target: "docs", config: "mcp.json", account: "work", scope: "read write", callbackPort: 8080 }
    expect(request).toStrictEqual({ _tag: "Login", options: { ...plain, ...named, client } })
    expect(JSON.stringify(request)).not.toContain("hush")
  })

  test.effect("[A1] a key signs with ES256 where nothing else is said", function*() {
    const signed = { options: { client: { signingKey: { file: resolve("/key.pem"), algorithm: "ES256" } } } }
    expect(yield* login("--client-key-file", "/key.pem")).toMatchObject(signed)
    expect(yield* login("--client-key-algorithm", "RS256")).toStrictEqual({ _tag: "Login", options: plain })
  })

  test.effect("[A4] a browser is opened as asked, otherwise as suits the terminal", function*() {
    expect(yield* login("--browser")).toStrictEqual({ _tag: "Login", options: { ...plain, browser: true } })
    expect(yield* login("--no-browser")).toStrictEqual({ _tag: "Login", options: { ...plain, browser: false } })
  })

  test.effect("[A1] a login is made with a browser or credentials", function*() {
    const shown = { _tag: "Login", options: { ...plain, method: "credentials" } }
    expect(yield* login("--client-credentials")).toStrictEqual(shown)
    const hidden = { _tag: "Login", options: { ...plain, method: "credentials", browser: false } }
    expect(yield* login("--client-credentials", "--no-browser")).toStrictEqual(hidden)
  })

  test.effect("[A1] the secret of a client can be a variable, which is none if it is empty; the option comes first", function*() {
    const secret = (value: string, ...args: ReadonlyArray<string>) =>
      Effect.map(parse(["login", url, ...args], { MCP_LIFELINE_CLIENT_SECRET: value }), (request) => {
        const given = request._tag === "Login" ? request.options.client.secret : undefined
        return given && Redacted.value(given)
      })
    expect(yield* secret("hush")).toBe("hush")
    expect(yield* secret("")).toBeUndefined()
    expect(yield* secret("hush", "--client-secret", "other")).toBe("other")
  })

  test.effect("[A1] a logout is of one server, of one account there, or of all", function*() {
    const none = { target: undefined, config: undefined, account: undefined, client: undefined }
    const logout = (options: Record<string, unknown>) => ({ _tag: "Logout", options: { ...none, ...options } })
    expect(yield* parse(["logout", url])).toStrictEqual(logout({ target: url }))
    expect(yield* parse(["logout", "--all"])).toStrictEqual(logout({}))
    expect(yield* parse(["logout", "--all", "--account", "work"])).toStrictEqual(logout({ account: "work" }))
    const named = logout({ target: "docs", config: "mcp.json", account: "work" })
    expect(yield* parse(["logout", "docs", "--config", "mcp.json", "--account", "work"])).toStrictEqual(named)
  })

  test.effect("[A1] auth prints a table, or JSON", function*() {
    expect(yield* parse(["auth"])).toStrictEqual({ _tag: "Auth", options: { json: false } })
    expect(yield* parse(["auth", "--json"])).toStrictEqual({ _tag: "Auth", options: { json: true } })
  })

  type Row = [message: string, args: ReadonlyArray<string>]
  const each = (option: string, why: string, ...values: ReadonlyArray<string>) =>
    values.map((value): Row => [`${option} ${why}`, ["login", url, `${option}=${value}`]])

  test.effect.each<Row>([
    ["--browser cannot be combined with --no-browser; keep one", ["login", url, "--browser", "--no-browser"]],
    ["--client-issuer needs a value", ["login", url, "--client-issuer="]],
    ...each("--client-issuer", "must be an address that begins with https://", "http://login.example", "login.example"),
    ...["http://me.example/client", "https://me.example", "me.example"].map((address): Row => [
      "--client-metadata-url must be an address that begins with https:// and has a path",
      ["login", url, "--client-metadata-url", address]
    ]),
    ...each("--callback-port", "must be a whole number from 1 to 65535", "0", "65536", "1.5", "x", "-1"),
    ["--scope needs a value", ["login", url, "--scope"]],
    ["--account appears more than once", ["login", url, "--account", "a", "--account", "b"]],
    ["unknown argument more: login takes only URL|NAME", ["login", url, "more"]],
    ["unknown option --all", ["login", url, "--all"]],
    ["unknown option --json", ["logout", url, "--json"]],
    ["unknown argument more: auth takes none", ["auth", "more"]],
    ["logout needs a server, or --all", ["logout"]],
    ["logout needs a server, or --all", ["logout", "--account", "work"]],
    ["--all cannot be combined with a server; keep one", ["logout", url, "--all"]]
  ])("[A1] is refused: %s", function*([message, args]) {
    expect(yield* Effect.flip(parse(args))).toEqual(mistake(`${message}; see mcp-lifeline ${args[0]} --help`))
  })

  test.effect("[A1] a login without a server is refused", function*() {
    const { _tag, message } = yield* Effect.flip(parse(["login"]))
    expect(_tag).toBe("UsageError")
    expect(message).toMatch(/^[^\n]*URL\|NAME[^\n]*; see mcp-lifeline login --help$/)
  })

  test.effect("[A1] ports at both ends can be chosen, and issuers on this machine", function*() {
    for (const port of [1, 65_535]) {
      expect(yield* login("--callback-port", `${port}`)).toMatchObject({ options: { callbackPort: port } })
    }
    const loopback = { options: { client: { issuer: "http://localhost:8080" } } }
    expect(yield* login("--client-issuer", "http://localhost:8080")).toMatchObject(loopback)
  })

  test.effect("[A1] help names each option, what it needs and what it is when it is not given", function*() {
    const text = yield* helpOf("login")
    const ofClient = ["id ID", "issuer URL", "secret SECRET", "key-file FILE", "key-algorithm NAME", "metadata-url URL"]
    const others = ["--browser", "--no-browser", "--scope SCOPES", "--callback-port NUMBER", "--client-credentials"]
    const own = ["--config FILE", "--account NAME", ...ofClient.map((one) => `--client-${one}`), ...others]
    for (const option of own) expect(text).toContain(option)
    expect(text).toMatch(/^ {2}130 +Interrupted\.$/m)
    const logout = yield* helpOf("logout")
    for (const option of ["--config FILE", "--account NAME", "--all"]) expect(logout).toContain(option)
    expect(logout?.replaceAll("\n", " ")).toContain("revoke its tokens if the authorization server supports this")
    const auth = yield* helpOf("auth")
    expect(auth).toContain("Show the stored logins and when they expire. Shows no secrets.")
    expect(auth).toContain("--json")
  })
})
