import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { appendFileSync, chmodSync, mkdirSync, renameSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { open, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as UserFile from "../src/UserFile.js"
import { within } from "../src/within.js"

const fifo = Effect.map(folder, (path) => {
  const file = join(path, "fifo")
  execFileSync("mkfifo", [file])
  return file
})

const why = (file: string, options?: UserFile.Options) => Effect.flip(UserFile.text(file, options))

const isBusy = () => process.getActiveResourcesInfo().some((name) => name.startsWith("FSReq"))

describe.skipIf(process.platform !== "linux")("a file of the user", () => {
  test.scopedLive("[X1] is read to its end, also where the system says that it is empty", function*() {
    const file = join(yield* folder, "file")
    const content = "ä".repeat(300_000)
    writeFileSync(file, content)
    expect(yield* UserFile.text(file)).toBe(content)
    expect((yield* UserFile.bytes(file)).length).toBe(600_000)
    writeFileSync(file, "")
    expect(yield* UserFile.text(file)).toBe("")
    if (process.platform === "linux") expect(yield* UserFile.text("/proc/self/comm")).not.toBe("")
  })

  test.scopedLive("[X1] is refused where it is none, before it is opened, with a reason", function*() {
    const path = yield* folder
    const socket = join(path, "socket")
    yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer().listen(socket, () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => void server.close())
    )
    mkdirSync(join(path, "directory"))
    expect(yield* why(join(path, "nothing"))).toMatchObject({ reason: "missing", message: "there is no such file" })
    expect(yield* why(join(socket, "below"))).toMatchObject({ reason: "missing" })
    expect((yield* why(join(path, "directory"))).message).toBe("it is a directory, not a file")
    expect((yield* why(socket)).message).toBe("it is a socket, not a file")
    expect((yield* why("/dev/zero")).message).toBe("it is a device, not a file")
    if (process.platform === "linux") {
      expect((yield* why("/proc/self/mem")).message).toBe("it cannot be read (EIO)")
    }
  })

  test.scopedLive.skipIf(process.getuid?.() === 0)("[X1] that may not be read says so", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    chmodSync(file, 0)
    expect(yield* why(file)).toMatchObject({ reason: "denied", message: "it may not be read" })
  })

  test.scopedLive("[X1] of 16 MiB is read, and a longer one is not", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "")
    truncateSync(file, 16 * 1024 * 1024)
    const limit = 120_000
    expect((yield* UserFile.bytes(file, { limit })).length).toBe(16 * 1024 * 1024)
    appendFileSync(file, "x")
    expect((yield* why(file, { limit })).message).toBe("it is longer than 16 MiB")
  })
})

describe.skipIf(process.platform !== "linux")("a named pipe of the user", () => {
  test.scopedLive("[X1] is read once somebody writes into it, in pieces and to its end", function*() {
    const file = yield* fifo
    const reading = yield* Effect.fork(UserFile.text(file))
    yield* Effect.promise(async () => {
      const writer = await open(file, "w")
      await writer.write("A=1\n")
      // Longer than a pipe holds.
      await writer.write(`B=${"2".repeat(200_000)}\n`)
      await writer.close()
    })
    expect(yield* reading).toBe(`A=1\nB=${"2".repeat(200_000)}\n`)
    // And again, as a manager of secrets writes for each reader.
    const again = yield* Effect.fork(UserFile.text(file))
    yield* Effect.promise(() => writeFile(file, "C=3"))
    expect(yield* again).toBe("C=3")
  })

  test.scopedLive("[X1] into which nobody writes, or not all, is given up, and occupies no thread", function*() {
    const file = yield* fifo
    const message = "it is a named pipe, into which nobody has written all within 0.1 seconds"
    expect((yield* why(file, { limit: 100 })).message).toBe(message)
    const reading = yield* Effect.fork(why(file, { limit: 100 }))
    // With "w" it would wait for a reader, which may have given up.
    const writer = yield* Effect.acquireRelease(
      Effect.promise(() => open(file, "r+")),
      (handle) => Effect.promise(() => handle.close())
    )
    yield* Effect.promise(() => writer.write("half"))
    expect((yield* reading).message).toBe(message)
    expect(isBusy()).toBe(false)
  })

  test.scopedLive("[X1] is not waited for once another file is in its place", function*() {
    const file = yield* fifo
    const reading = yield* Effect.fork(why(file, { limit: 2 ** 30 }))
    // It can be opened for writing once somebody reads it.
    yield* Effect.acquireRelease(
      Effect.promise(() => open(file, "w")),
      (handle) => Effect.promise(() => handle.close())
    )
    writeFileSync(`${file}.next`, "a")
    renameSync(`${file}.next`, file)
    expect((yield* reading).message).toBe("it was replaced while it was read")
    expect(yield* UserFile.text(file)).toBe("a")
  })

  test.scopedLive("[X1] that never ends is given up", function*() {
    const file = yield* fifo
    const reading = yield* Effect.fork(why(file))
    yield* Effect.promise(async () => {
      const writer = await open(file, "w")
      const block = Buffer.alloc(1024 * 1024)
      try {
        for (;;) await writer.write(block)
      } catch {
        // It is closed at the other end.
      }
      await writer.close()
    })
    expect((yield* reading).message).toBe("it is longer than 16 MiB")
  })

  test.scopedLive("[X1] is not waited for once nobody wants it", function*() {
    const file = yield* fifo
    const reading = yield* Effect.fork(UserFile.text(file, { limit: 2 ** 30 }))
    yield* Effect.sleep("50 millis")
    yield* reading.interruptAsFork(reading.id())
    // Its end is closed: nobody can write any more without a reader.
    yield* Effect.promise(async () => {
      const { O_NONBLOCK, O_WRONLY } = (await import("node:fs")).constants
      for (;;) {
        const isOpen = await open(file, O_WRONLY | O_NONBLOCK).then(
          (one) => one.close().then(() => true),
          () => false
        )
        if (!isOpen) return
      }
    })
  })

  test.scopedLive("[X1] is refused where a file is to be written back", function*() {
    expect((yield* why(yield* fifo, { pipes: false })).message).toBe("it is a named pipe, not a file")
  })
})

describe.skipIf(process.platform !== "linux")("how a file looks", () => {
  test.scopedLive("[G5] differs after a save, and where another one takes its place", function*() {
    const path = yield* folder
    const file = join(path, "file")
    const seen = new Set<string | undefined>()
    const looks = Effect.map(UserFile.fingerprint(file), (one) => seen.size !== seen.add(one).size)
    expect(yield* looks).toBe(true)
    writeFileSync(file, "a")
    expect(yield* looks).toBe(true)
    expect(yield* looks).toBe(false)
    utimesSync(file, 1, 1)
    expect(yield* looks).toBe(true)
    appendFileSync(file, "b")
    utimesSync(file, 1, 1)
    expect(yield* looks).toBe(true)
    writeFileSync(join(path, "next"), "cd")
    utimesSync(join(path, "next"), 1, 1)
    renameSync(join(path, "next"), file)
    expect(yield* looks).toBe(true)
  })

  test.scopedLive("[X1] [G5] is not known where its file system does not answer, and that is no file that is gone", function*() {
    const file = join(yield* folder, "file")
    writeFileSync(file, "a")
    const hung = within(file, () => new Promise<never>(() => undefined), 10)
    expect(yield* Effect.promise(() => hung.catch((cause: Error) => cause.name))).toBe("NoAnswer")
    expect((yield* Effect.flip(UserFile.fingerprint(file))).message).toBe("its file system does not answer")
    expect((yield* why(file)).message).toBe("its file system does not answer")
  })

  test.scopedLive("[G5] does not differ where somebody writes into a pipe", function*() {
    const file = yield* fifo
    const before = yield* UserFile.fingerprint(file)
    const reading = yield* Effect.fork(UserFile.text(file))
    yield* Effect.promise(() => writeFile(file, "a"))
    yield* reading
    expect(yield* UserFile.fingerprint(file)).toBe(before)
    expect(before).toBeDefined()
  })
})
