import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, WriteStream } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Recorder } from "../../src/wrap/Recorder.js"
import { secretsIn } from "../../src/wrap/Server.js"

describe("the file of --record", () => {
  let [folder, path] = ["", ""]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lifeline-record-"))
    path = join(folder, "record")
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
    const nested = (levels: number): object => JSON.parse(`${'{"a":'.repeat(levels)}{}${"}".repeat(levels)}`)
    const result = (levels: number) => ({ message: { jsonrpc: "2.0", id: levels, result: nested(levels - 1) } })
    await record(path, result(500), result(501))
    const [whole, cut] = lines(path)
    assert.deepInclude(whole, result(500))
    assert.deepInclude(cut, { message: { id: 501 }, left: "nested too deeply to be written" })
  })

  it("[X5] a disk that is too slow costs lines, whose number the next one has, and no more memory", async () => {
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

  it("[C10:unit] has no configured secret, however it is written in a message", async () => {
    const server = { _tag: "Address", url: "https://x", headers: ["X-Key: ${KEY}"] } as never
    const recorder = new Recorder(path, assert.fail, secretsIn({ server }, { KEY: 'hunter "22"' }))
    const messages = ['hunter "22"', "https://x/?key=hunter%20%2222%22"].map((text) => ({ message: { text } }))
    for (const message of messages) recorder.write("to the host", message)
    await recorder.close()
    assert.notInclude(readFileSync(path, "utf8"), "hunter")
    assert.lengthOf(lines(path), messages.length)
  })

  it.skipIf(process.platform === "win32")(
    "[X3] is readable by the user alone, also where it was there before",
    async () => {
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
