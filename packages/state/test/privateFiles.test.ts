import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { InUse, patience } from "../src/InUse.js"
import {
  assertPrivate,
  assertTrusted,
  hasCode,
  makeFolder,
  makePrivate,
  readPrivate,
  remove,
  replace
} from "../src/privateFiles.js"
import { failing, inNoTime } from "./support.js"

const failure = (work: () => Promise<unknown>) =>
  Effect.promise(() => work().then(() => undefined, (cause: Error) => cause.message))

const withoutUsers = Effect.acquireRelease(
  Effect.sync(() => {
    const { getuid } = process
    delete process.getuid
    return getuid
  }),
  (getuid) => Effect.sync(() => void (getuid && (process.getuid = getuid)))
)

const isRoot = process.getuid?.() === 0
const another = 65_534

describe.skipIf(process.platform !== "linux")("a private file", () => {
  test.scopedLive("[A2] is replaced as a whole: whoever reads it meanwhile sees all of one text", function*() {
    const file = join(yield* folder, "file")
    const size = 4 * 1024 * 1024
    const texts = ["a", "b"].map((letter) => letter.repeat(size))
    yield* Effect.promise(() => replace(file, texts[0] ?? ""))
    let isOver = false
    const seen = new Set<string>()
    const reading = Effect.promise(async () => {
      while (!isOver) {
        const text = await readPrivate(file)
        seen.add(`${text.length} ${text[0]}${text.at(-1)}`)
      }
    })
    const writing = Effect.promise(async () => {
      for (let count = 0; count < 40; count++) await replace(file, texts[(count + 1) % 2] ?? "")
      isOver = true
    })
    yield* Effect.all([reading, writing], { concurrency: "unbounded" })
    expect([...seen].filter((one) => one !== `${size} aa` && one !== `${size} bb`)).toEqual([])
    expect(readdirSync(join(file, ".."))).toEqual(["file"])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  test.scopedLive("[A2] is not left half written beside the old one, which stays", function*() {
    const path = yield* folder
    mkdirSync(join(path, "file"))
    expect(yield* failure(() => replace(join(path, "file"), "text"))).toContain("EISDIR")
    expect(readdirSync(path)).toEqual(["file"])
  })

  test.scopedLive.each(["EPERM", "EACCES", "EBUSY"])(
    "[A2] that is open in another program on Windows is replaced after that, as a whole: %s",
    function*(code) {
      const path = yield* folder
      const file = join(path, "file")
      writeFileSync(file, "old", { mode: 0o600 })
      let times = 0
      yield* failing("rename", () => ++times < 12 ? code : undefined)
      expect(yield* failure(() => replace(file, "new", "linux"))).toContain(code)
      expect([times, readFileSync(file, "utf8"), readdirSync(path)]).toEqual([1, "old", ["file"]])
      yield* inNoTime(Effect.promise(() => replace(file, "new", "win32")))
      expect([times, readFileSync(file, "utf8"), readdirSync(path)]).toEqual([12, "new", ["file"]])
      expect(statSync(file).mode & 0o777).toBe(0o600)
    }
  )

  test.scopedLive("[A2] that stays open in another program on Windows stays as it is, and after 3 seconds that is said", function*() {
    const path = yield* folder
    const file = join(path, "file")
    writeFileSync(file, "old", { mode: 0o600 })
    const codes = new Set<string>()
    yield* failing("rename", () => {
      const code = ["EPERM", "EBUSY"][codes.size % 2] ?? ""
      codes.add(code)
      return code
    })
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
    yield* Effect.addFinalizer(() => Effect.sync(() => vi.useRealTimers()))
    let cause: unknown
    const replaced = replace(file, "new", "win32").catch((error: unknown) => cause = error)
    yield* Effect.promise(async () => {
      while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve))
      await vi.advanceTimersByTimeAsync(patience - 200)
      expect(cause).toBeUndefined()
      // The work itself takes real time.
      while (cause === undefined) await vi.advanceTimersByTimeAsync(100)
      await replaced
    })
    expect(cause).toBeInstanceOf(InUse)
    expect(hasCode(cause, "EPERM", "EBUSY")).toBe(true)
    expect(cause).toMatchObject({ file, message: expect.stringContaining(`${file} has been open`) })
    expect([readFileSync(file, "utf8"), readdirSync(path)]).toEqual(["old", ["file"]])
  })

  test.scopedLive("[A2] that is being replaced or removed on Windows is read or removed after that; other failures are told at once", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "text", { mode: 0o600 })
    let codes: Array<string> = []
    yield* failing("open", () => codes.shift())
    yield* failing("rm", () => codes.shift())
    codes = ["EBUSY", "EPERM"]
    expect(yield* inNoTime(Effect.promise(() => readPrivate(file, "win32")))).toBe("text")
    codes = ["EBUSY", "EPERM"]
    expect(yield* failure(() => readPrivate(file, "linux"))).toContain("EBUSY")
    codes = ["ENOENT", "EPERM"]
    expect(yield* failure(() => readPrivate(file, "win32"))).toContain("ENOENT")
    codes = ["EBUSY", "EPERM"]
    yield* inNoTime(Effect.promise(() => remove(file, "win32")))
    expect(yield* failure(() => remove(file, "win32"))).toContain("ENOENT")
  })

  test.scopedLive("[A2] stays where a disk is full, on Windows too, and that is the reason", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "old")
    yield* failing("writeFile", () => "ENOSPC")
    expect(yield* failure(() => replace(file, "new", "win32"))).toContain("ENOSPC")
    expect(yield* failure(() => replace(file, "new", "linux"))).toContain("ENOSPC")
    expect(readFileSync(file, "utf8")).toBe("old")
  })

  it("[X1] a failure may be anything", () => {
    for (const cause of [undefined, null, "EPERM", {}]) expect(hasCode(cause, "ENOENT", "EPERM")).toBe(false)
    expect(hasCode({ code: "EPERM" }, "ENOENT", "EPERM")).toBe(true)
  })

  test.scopedLive.skipIf(process.platform !== "linux")(
    "[X1] is closed again, whether it was read or refused",
    function*() {
      const file = join(yield* folder, "file")
      const isOpen = () =>
        readdirSync("/proc/self/fd").some((name) => {
          try {
            return readlinkSync(`/proc/self/fd/${name}`) === file
          } catch {
            return false
          }
        })
      writeFileSync(file, "text", { mode: 0o600 })
      yield* Effect.promise(() => readPrivate(file))
      chmodSync(file, 0o666)
      yield* failure(() => readPrivate(file))
      expect(isOpen()).toBe(false)
    }
  )

  test.scopedLive("[X6] is not read where others may write it, nor through a link, nor where it is no regular file", function*() {
    const path = yield* folder
    const file = join(path, "file")
    writeFileSync(file, "text", { mode: 0o600 })
    expect(yield* Effect.promise(() => readPrivate(file))).toBe("text")
    symlinkSync(file, join(path, "link"))
    expect(yield* failure(() => readPrivate(join(path, "link")))).toContain("ELOOP")
    for (const mode of [0o620, 0o602]) {
      chmodSync(file, mode)
      expect(yield* failure(() => readPrivate(file))).toContain("can be written by other users")
    }
    execFileSync("mkfifo", [join(path, "fifo")])
    expect(yield* failure(() => readPrivate(join(path, "fifo")))).toContain("not a regular file")
  })

  test.scopedLive.skipIf(!isRoot)("[X6] is not read where it belongs to another user", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "text", { mode: 0o600 })
    chownSync(file, another, another)
    expect(yield* failure(() => readPrivate(file))).toContain(`belongs to another user (uid ${another})`)
  })
})

describe.skipIf(process.platform !== "linux")("a private folder", () => {
  test.scopedLive("[A2] is made with those around it, and taken where it is there", function*() {
    const path = join(yield* folder, "a", "b", "c")
    const make = () => makePrivate(path)
    yield* Effect.promise(() => Promise.all([make(), make(), make()]))
    yield* Effect.promise(make)
    expect(["..", "../.."].map((up) => statSync(join(path, up)).mode & 0o777)).toEqual([0o700, 0o700])
    chmodSync(path, 0o755)
    yield* Effect.promise(make)
    expect(statSync(path).mode & 0o777).toBe(0o700)
    // What its user has closed even more stays so.
    chmodSync(path, 0o500)
    yield* Effect.promise(make)
    expect(statSync(path).mode & 0o777).toBe(0o500)
  })

  test.scopedLive("[X6] where a system has no users and no modes, none of them is looked at or changed", function*() {
    const path = yield* folder
    const [file, own] = [join(path, "file"), join(path, "own")]
    mkdirSync(own)
    writeFileSync(file, "text")
    for (const one of [file, own]) chmodSync(one, 0o777)
    yield* withoutUsers
    yield* Effect.promise(async () => {
      await makePrivate(own)
      await assertPrivate(own)
      await assertTrusted(own)
      expect(await readPrivate(file)).toBe("text")
    })
    expect(statSync(own).mode & 0o777).toBe(0o777)
  })

  test.scopedLive("[X1] is not made for ever where not even the root is there, as on a drive that Windows does not have", function*() {
    let tries = 0
    yield* failing("mkdir", () => ++tries < 100 ? "ENOENT" : "ELOOP")
    expect(yield* failure(() => makeFolder("/"))).toBeUndefined()
    expect(yield* failure(() => makeFolder("/nowhere/at/all"))).toContain("ENOENT")
    expect(tries).toBeLessThan(100)
  })

  test.scopedLive("[X1] ends with a reason where there can be none, also where a file system takes no folders", function*() {
    const path = yield* folder
    writeFileSync(join(path, "file"), "")
    expect(yield* failure(() => makeFolder(join(path, "file")))).toContain("EEXIST")
    expect(yield* failure(() => makeFolder(join(path, "file", "below")))).toContain("ENOTDIR")
    if (process.platform === "linux") {
      expect(yield* failure(() => makeFolder("/proc/nope/below"))).toContain("ENOENT")
    }
  })

  test.scopedLive("[X6] is not believed where it is a link, or others may write it", function*() {
    const path = yield* folder
    mkdirSync(join(path, "real"), { mode: 0o700 })
    yield* Effect.promise(() => assertPrivate(join(path, "real")))
    symlinkSync(join(path, "real"), join(path, "link"))
    expect(yield* failure(() => assertPrivate(join(path, "link")))).toContain("is not a folder")
    expect(yield* failure(() => makePrivate(join(path, "link")))).toContain("is not a folder")
    chmodSync(join(path, "real"), 0o770)
    expect(yield* failure(() => assertPrivate(join(path, "real")))).toContain("can be written by other users")
  })

  test.scopedLive.skipIf(!isRoot)("[X6] is neither used nor believed where it belongs to another user", function*() {
    const path = yield* folder
    yield* Effect.promise(() => assertTrusted(path))
    chownSync(path, another, another)
    for (const work of [assertTrusted, assertPrivate, makePrivate]) {
      expect(yield* failure(() => work(path))).toContain(`belongs to another user (uid ${another})`)
    }
  })
})
