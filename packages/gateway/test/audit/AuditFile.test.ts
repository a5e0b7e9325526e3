import { execFileSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it, onTestFinished, vi } from "vitest"
import { AuditFile, node, type Options } from "../../src/audit/AuditFile.js"
import { canonical, digest } from "../../src/audit/canonical.js"
import { type Trouble, troubleOf } from "../../src/audit/trouble.js"

const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-audit-"))
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

const opened = async (options: Partial<Options> = {}) => {
  const { path = join(folder(), "calls") } = options
  const troubles: Array<readonly [Trouble | undefined, number]> = []
  const onTrouble = (...trouble: readonly [Trouble | undefined, number]) => void troubles.push(trouble)
  const all: Options = { size: 1_000_000, files: 3, full: "stop", onTrouble, ...options, path }
  // Who waits for the file to be tried again does not wait for long.
  const file = await AuditFile.open(all, { ...node, later: (run) => node.later(run, 1) })
  onTestFinished(() => file.close())
  const write = (text: string) => new Promise<boolean>((resolve) => file.write(text, resolve))
  return { file, path, troubles, write }
}

const linesOf = (path: string): ReadonlyArray<string> => readFileSync(path, "utf8").split("\n").slice(0, -1)

describe("the file of the audit", () => {
  it("[G23:unit] has a line when it says so, is of its user only, and is continued", async () => {
    const path = join(folder(), "calls")
    writeFileSync(path, "before\ncut o", { mode: 0o644 })
    const { file, write } = await opened({ path })
    for (let i = 0; i < 20; i++) {
      assert.isTrue(await write(`line ${i}`))
      assert.strictEqual(linesOf(path).at(-1), `line ${i}`)
    }
    assert.deepEqual(linesOf(path).slice(0, 3), ["before", "cut o", "line 0"])
    if (process.platform !== "win32") assert.strictEqual(statSync(path).mode & 0o777, 0o600)
    const last = write("last")
    await file.close()
    assert.isTrue(await last)
    assert.isFalse(await write("too late"))
    assert.strictEqual(linesOf(path).at(-1), "last")
  })

  it("[G23:unit X5] is as large as it may be at most, in bytes, but for a line that is longer itself", async () => {
    const { path, write } = await opened({ size: 1000, files: 100 })
    const short = Array.from({ length: 200 }, (_, i) => `${i} ${"ü\u20ac".repeat(i % 60)}`)
    const texts = [...short, "€".repeat(2_000_000), ...short]
    assert.isTrue((await Promise.all(texts.map(write))).every(Boolean))
    const number = (name: string): number => Number(name.split(".")[1] ?? 0)
    const names = readdirSync(join(path, "..")).toSorted((a, b) => number(b) - number(a))
    assert.deepEqual(names.flatMap((name) => linesOf(join(path, "..", name))), texts)
    const sizes = names.map((name) => statSync(join(path, "..", name)).size)
    assert.deepEqual(sizes.filter((size) => size > 1000), [6_000_001])
  })

  it.each([89, 90])("[G23:unit X5] also counts the end of a line that was cut off after %d bytes", async (before) => {
    const path = join(folder(), "calls")
    writeFileSync(path, "x".repeat(before))
    const { write } = await opened({ path, size: 100 })
    assert.isTrue(await write("123456789"))
    const sizes = readdirSync(join(path, "..")).toSorted().map((name) => statSync(join(path, "..", name)).size)
    assert.deepEqual(sizes, before === 89 ? [100] : [10, 90])
  })

  it("[G23:unit] tries again with a timer that keeps no process alive, and that can be stopped", () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length
    const before = timers()
    node.later(() => undefined, 1000)()
    const stop = node.later(() => undefined, 1000)
    assert.strictEqual(timers(), before)
    stop()
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    try {
      let runs = 0
      node.later(() => runs++, 1000)()
      node.later(() => runs++, 1000)
      vi.advanceTimersByTime(999)
      assert.strictEqual(runs, 0)
      vi.advanceTimersByTime(5000)
      assert.strictEqual(runs, 1)
    } finally {
      vi.useRealTimers()
    }
  })

  it.each([0, 1, 3])("[G23:unit] keeps %d full ones at most", async (files) => {
    const { path, write } = await opened({ size: 100, files })
    for (let i = 0; i < 40; i++) await write(`${i} ${"x".repeat(60)}`)
    const names = readdirSync(join(path, "..")).toSorted()
    assert.deepEqual(names, ["calls", ...Array.from({ length: files }, (_, i) => `calls.${i + 1}`)])
    for (const name of names) assert.isAtMost(statSync(join(path, "..", name)).size, 100)
    assert.match(linesOf(path).at(-1) ?? "", /^39 /)
  })

  it.each([false, true])(
    "[G23:unit] follows another program that moves it away, and makes a new one: %s",
    async (isMade) => {
      const { path, write } = await opened()
      await write("one")
      renameSync(path, `${path}.moved`)
      if (isMade) writeFileSync(path, "")
      await write("two")
      assert.deepEqual([linesOf(`${path}.moved`), linesOf(path)], [["one"], ["two"]])
    }
  )

  it("[G23:unit] is no link, no folder and no pipe, and says what helps", async () => {
    const path = folder()
    writeFileSync(join(path, "plain"), "")
    const problem = async (name: string): Promise<Trouble | undefined> => {
      try {
        await opened({ path: join(path, name) })
        return undefined
      } catch (error) {
        return troubleOf(error, join(path, name))
      }
    }
    const is = async (name: string, reason: string, remedy: string) =>
      assert.deepEqual(await problem(name), { reason, remedy })
    await is("no/calls", "its folder does not exist", `make the folder ${join(path, "no")}`)
    // Windows has no O_NOFOLLOW and no pipes in folders, and says other things of folders.
    if (process.platform === "win32") return
    symlinkSync(join(path, "other"), join(path, "link"))
    execFileSync("mkfifo", [join(path, "pipe")])
    await is("link", "it is a link", "remove the link, or name the file itself")
    await is(".", "it is a folder", "remove the folder, or name a file in it")
    await is("pipe", "it is no regular file", "remove it, or name another file")
    await is("plain/calls", "a part of its path is no folder", `make ${join(path, "plain")} a folder`)
  })

  it.skipIf(process.platform === "win32")(
    "[G23:unit] says which one is in its way when it is full, and each other reason for which it cannot be written",
    async () => {
      const { file, path, troubles, write } = await opened({ size: 100, files: 1 })
      await write("x".repeat(90))
      mkdirSync(`${path}.1`)
      assert.isFalse(await write("y".repeat(90)))
      const inTheWay = { reason: `it is full, and the folder ${path}.1 is in its way`, remedy: "remove that folder" }
      assert.deepEqual(file.trouble, inTheWay)
      rmSync(join(path, ".."), { recursive: true })
      await vi.waitFor(() => assert.strictEqual(file.trouble?.reason, "its folder does not exist"), { timeout: 60_000 })
      assert.lengthOf(troubles, 2)
      await file.close()
      assert.strictEqual(file.lost, 1)
    }
  )

  it("[G23:unit] says what helps against each error of the system", () => {
    const said = (code: string, more: object = {}) =>
      troubleOf(Object.assign(new Error(`${code}: no`), { code }, more), "/logs/calls")
    assert.strictEqual(said("ENOSPC").remedy, "make room on the disk")
    // The file may also be that of --record, for which there is no --audit-size.
    assert.strictEqual(said("EFBIG").remedy, "move it away, or raise the limit for files (ulimit -f)")
    for (const code of ["EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "EMFILE", "EIO"]) {
      assert.notInclude(JSON.stringify(said(code)), `${code}: no`)
    }
    const let_ = "let the user of mcp-lifeline"
    const denied = { reason: "this user may not write it", remedy: `${let_} write /logs/calls and its folder` }
    assert.deepEqual(said("EACCES"), denied)
    const kept = { reason: "it is full, and cannot become /logs/calls.1", remedy: `${let_} change the folder /logs` }
    assert.deepEqual(said("EACCES", { syscall: "rename", dest: "/logs/calls.1" }), kept)
    assert.strictEqual(said("EPERM", { syscall: "unlink" }).reason, "it is full, and cannot be removed")
    assert.deepEqual(said("EWHAT"), { reason: "EWHAT: no", remedy: "make /logs/calls writable" })
  })
})

describe("the hash of arguments", () => {
  it("[G23:unit] is the same for equal values, in whatever order their members are", () => {
    const text = '{"A":true,"b":[1,{"c":"ü\\n","d":null}]}'
    assert.strictEqual(canonical({ b: [1, { d: null, c: "ü\n" }], a: undefined, A: true }), text)
    assert.strictEqual(digest({ a: 1, b: 2 }), digest({ b: 2, a: 1 }))
    assert.notStrictEqual(digest({ a: 1 }), digest({ a: "1" }))
    assert.strictEqual(digest({}), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
  })
})
