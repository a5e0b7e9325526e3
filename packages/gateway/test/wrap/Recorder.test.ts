import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, WriteStream } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { masked } from "../../src/wrap/masked.js"
import { Recorder } from "../../src/wrap/Recorder.js"

const written = (value: unknown): string => JSON.stringify(masked(value))

const pem = "-----BEGIN RSA PRIVATE KEY-----\nhunter22hunter22\nhunter22\n-----END RSA PRIVATE KEY-----"

describe("what --record writes", () => {
  const secrets: ReadonlyArray<object> = [
    { "X-API-Key": "hunter22" },
    { githubToken: "hunter22" },
    { auth_token: "hunter22" },
    { AWS_SECRET_ACCESS_KEY: "hunter22" },
    { dbPassword: "hunter22" },
    { private_key: "hunter22" },
    { pin: { password: 22_222_222 } },
    { text: "Authorization: Basic aHVudGVyMjI=" },
    { text: "see postgres://ada:hunter22@db.example/x" },
    { uri: "https://example.com/mcp?x=1&access_token=hunter22&y=2" },
    { text: "eyJhbGciOiJIUzI1NiJ9.aHVudGVyMjI.c2ln" },
    { text: "github_pat_hunter22hunter22hunter22" },
    { password: ["hunter22"] },
    { arguments: { secret: { value: "hunter22" } } },
    { tokens: { github: "hunter22" } },
    { apiKeys: ["hunter22", { deep: ["hunter22"] }] },
    { content: [{ type: "text", text: '{"login": {"password": "hunter22"}}' }] },
    { text: '{"inner": "{\\"password\\": [\\"hunter22\\"]}"}' },
    { text: 'The answer: {"apiKey": "hunter22"}, and more' },
    { text: "export DB_PASSWORD=hunter22 && run" },
    { text: "password: 'hunter22'" },
    { otp: "222222" },
    { otp: 222_222 },
    { code: "hunter22hunter22" },
    { code: "4/0AhunTer22-x_Y" },
    { deviceCode: "hunter_hunter22" },
    { text: "user_code: HUNT-222222" },
    { text: pem },
    { text: `before\n${pem}\nafter` },
    { text: "-----BEGIN PRIVATE KEY-----\nhunter22" },
    { text: "AIzaSyhunter22hunter22hunter22hunter22hu" },
    { text: "npm_hunter22hunter22hunter22hunter22hunt" },
    { text: "xapp-1-A02-hunter22hunter22-hunter22" },
    { properties: { password: { type: "string", default: "hunter22", examples: ["hunter22"] } } }
  ]
  for (const secret of secrets) {
    it(`[W1] masks ${JSON.stringify(secret)}`, () => {
      assert.notMatch(written(secret), /hunter22|222222|aHVudGVyMjI/)
      assert.include(written(secret), "[masked]")
    })
  }

  it("[W1] leaves the names of errors", () => {
    const codes = [
      "ECONNREFUSED",
      "EPROTONOSUPPORT",
      "EAI_AGAIN",
      "ERR_TLS_CERT_ALTNAME_INVALID",
      "ERR_HTTP2_STREAM_ERROR",
      "UND_ERR_CONNECT_TIMEOUT",
      "SELF_SIGNED_CERT_IN_CHAIN",
      "invalid_grant",
      "unauthorized",
      "not-found",
      "UNAUTHENTICATED",
      "FORBIDDEN",
      "INTERNAL",
      "Unauthorized",
      "Timeout",
      "http2_error",
      "NoSuchBucket",
      "rateLimitExceeded"
    ]
    for (const code of codes) {
      const message = { code, cause: { Code: code }, text: `{"code":"${code}"} and code: ${code}` }
      assert.strictEqual(written(message), JSON.stringify(message))
    }
  })

  it("[W1] leaves what is no secret", () => {
    const message = {
      method: "sampling/createMessage",
      params: { maxTokens: 5, _meta: { progressToken: "mine" }, nextCursor: "abc", keyboard: "x", author: "y" },
      schema: { properties: { password: { type: "string", description: "yours" }, token: { type: "string" } } },
      error: { code: -32_601, message: "x" },
      usage: { input_tokens: 1, outputTokens: 2 },
      source: { code: "const a = 1" },
      text: "a monkey=1, https://example.com/a?monk=1, basic words here, a.b.c, skeleton-of-the-whole-program",
      json: '{ "a": [1, 2],  "b": null }'
    }
    assert.strictEqual(written(message), JSON.stringify(message))
  })

  it("[W1] keeps no part of a secret where a long text is cut", () => {
    const token = `eyJ${"hunter22".repeat(100)}`
    const text = `${"x ".repeat(524_288 - 200)}${token}.${token}.${token}`
    assert.notInclude(written({ text }), "hunter22")
    assert.include(written({ text }), "[cut: ")
  })
})

describe("the file of --record", () => {
  let folder = ""
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lifeline-record-"))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const record = async (path: string, ...contents: ReadonlyArray<object>): Promise<ReadonlyArray<string>> => {
    const errors: Array<string> = []
    const recorder = new Recorder(path, (message) => errors.push(message))
    for (const content of contents) recorder.write("from the host", content)
    await recorder.close()
    return errors
  }
  const lines = (path: string) =>
    readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as object)

  it("[X1:unit] has a line for a message that is nested too deeply, or cannot be written, and goes on", async () => {
    const path = join(folder, "record")
    const deep: unknown = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)
    const broken = {
      get message(): never {
        throw new Error("broken")
      }
    }
    const fine = { message: { jsonrpc: "2.0", id: 2, method: "ping" } }
    assert.deepStrictEqual(
      await record(path, { message: { id: 1, method: "tools/call", params: { deep } } }, broken, { n: 1n }, fine),
      []
    )
    const [first, second, third, last] = lines(path)
    assert.deepInclude(first, { message: { id: 1, method: "tools/call" }, left: "nested too deeply to be written" })
    assert.deepInclude(second, { left: "cannot be written: broken" })
    assert.property(third, "left")
    assert.deepInclude(last, fine)
  })

  it("[X1:unit] has whatever a host or server may be told: a result of so many levels, and no more", async () => {
    const path = join(folder, "record")
    const result = (levels: number): object => ({
      message: {
        jsonrpc: "2.0",
        id: levels,
        result: JSON.parse(`${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`)
      }
    })
    await record(path, result(500), result(501))
    const [whole, cut] = lines(path)
    assert.deepInclude(whole, result(500))
    assert.deepInclude(cut, { message: { id: 501 }, left: "nested too deeply to be written" })
  })

  it("[X5] a disk that is too slow costs lines, whose number the next one has, and no more memory", async () => {
    const path = join(folder, "record")
    let waiting = 0
    Object.defineProperty(WriteStream.prototype, "writableLength", { configurable: true, get: () => waiting })
    try {
      const recorder = new Recorder(path, assert.fail)
      recorder.write("from the host", { n: 1 })
      waiting = 64 * 1024 * 1024 + 1
      for (const n of [2, 3]) recorder.write("from the host", { n })
      waiting--
      for (const n of [4, 5]) recorder.write("from the host", { n })
      await recorder.close()
    } finally {
      Reflect.deleteProperty(WriteStream.prototype, "writableLength")
    }
    assert.deepStrictEqual(
      lines(path).map((line) => ({ ...line, at: "" })),
      [{ n: 1 }, { missing: 2, n: 4 }, { n: 5 }].map((line) => ({ at: "", about: "from the host", ...line }))
    )
  })

  it.skipIf(process.platform === "win32")(
    "[X3] is readable by the user alone, also where it was there before",
    async () => {
      const path = join(folder, "record")
      writeFileSync(path, "", { mode: 0o644 })
      assert.deepStrictEqual(await record(path, { a: 1 }), [])
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      assert.lengthOf(lines(path), 1)
    }
  )

  it.skipIf(process.platform === "win32")("[X1:unit] is no link, and no other thing than a file", async () => {
    const other = join(folder, "other")
    writeFileSync(other, "")
    symlinkSync(other, join(folder, "link"))
    assert.match(
      (await record(join(folder, "link"), { a: 1 }))[0] ?? "",
      /^mcp-lifeline: .*link cannot be written \(it is a link\); remove the link, or name the file itself$/
    )
    assert.strictEqual(readFileSync(other, "utf8"), "")
    assert.lengthOf(await record(folder, { a: 1 }), 1)
    assert.match((await record("/dev/null", { a: 1 }))[0] ?? "", /\(it is no regular file\)/)
  })
})
