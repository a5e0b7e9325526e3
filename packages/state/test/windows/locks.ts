/** Processes that share a state folder, run by Node.js for Windows: `node locks.cjs <way> FOLDER FILE`. */
import * as FileLock from "@mcp-lifeline/state/FileLock"
import { processState, self } from "@mcp-lifeline/state/machine"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Exit, Logger, Option, Schema, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"

const [way = "", folder = "", output = ""] = process.argv.slice(2)
const state = StateFolder.make(folder)
const Count = Schema.Struct({ value: Schema.Number })
const numbers = state.collection("numbers", Count)

const times = 8

/** libuv opens a file with this so that nobody else can, as virus scanners do. */
const alone = 0x10000000

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(10)
}
const write = (file: string, value: unknown): void => {
  writeFileSync(`${file}.new`, JSON.stringify(value))
  renameSync(`${file}.new`, file)
}
const read = (file: string): unknown => JSON.parse(readFileSync(file, "utf8"))

const start = (...args: ReadonlyArray<string>): { readonly child: ChildProcess; readonly ended: Promise<unknown> } => {
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...args], { stdio: "ignore", windowsHide: true })
  return { child, ended: new Promise((resolve) => child.once("exit", resolve)) }
}

const add = Effect.scoped(Effect.gen(function*() {
  yield* state.lock("numbers")
  appendFileSync(output, `+${process.pid}\n`)
  const { value } = Option.getOrElse(yield* numbers.get("one"), () => ({ value: 0 }))
  // Gives others time to come between.
  yield* Effect.sleep("1 millis")
  yield* numbers.set("one", { value: value + 1 })
  appendFileSync(output, `-${process.pid}\n`)
}))

const warnings = async (work: Effect.Effect<unknown>): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  await Effect.runPromise(Effect.provide(work, Logger.replace(Logger.defaultLogger, logger)))
  return lines
}

const ways: Readonly<Record<string, () => Promise<unknown>>> = {
  // The roles of processes that are started below.
  add: () => Effect.runPromise(Effect.repeatN(add, times - 1)),
  keep: async () => {
    writeFileSync(`${output}.started`, "")
    await Effect.runPromise(Effect.scoped(Effect.zipRight(
      state.lock("numbers"),
      Effect.zipRight(Effect.promise(async () => write(output, await self())), Effect.never)
    )))
  },
  stop: async () => {
    write(output, await self())
    for (;;);
  },
  look: async () => {
    for (;;) {
      try {
        const file = openSync(join(folder, "numbers", "one.json"), "r")
        await sleep(3)
        closeSync(file)
      } catch {
        // It is not there yet.
      }
      await sleep(20)
    }
  },

  ledger: async () => {
    const ledger = join(folder, "ledger")
    const reader = start("look", folder)
    const all = ["1", "2"].map(() => start("add", folder, ledger))
    const codes = await Promise.all(all.map(({ ended }) => ended))
    reader.child.kill()
    return {
      codes,
      ledger: readFileSync(ledger, "utf8").trim().split("\n"),
      number: read(join(folder, "numbers", "one.json")),
      left: [...readdirSync(join(folder, "locks")), ...readdirSync(join(folder, "numbers"))],
      expected: 2 * times
    }
  },

  killed: async () => {
    const [first, second] = [join(folder, "first"), join(folder, "second")]
    const holder = start("keep", folder, first)
    await until(() => existsSync(first))
    const waiter = start("keep", folder, second)
    await until(() => existsSync(`${second}.started`))
    // It has looked many times, and waits.
    await sleep(500)
    const hadBoth = existsSync(second)
    holder.child.kill("SIGKILL")
    await until(() => existsSync(second))
    const left = readdirSync(join(folder, "locks")).length
    waiter.child.kill("SIGKILL")
    return { hadBoth, left }
  },

  identity: async () => {
    const own = await self()
    const file = join(folder, "stopped")
    const stopped = start("stop", folder, file)
    await until(() => existsSync(file))
    const other = read(file) as { readonly pid: number; readonly start: string }
    const states = [await processState(own), await processState({ ...own, start: "0".repeat(32) })]
    // More often than a pipe has places for those who connect.
    for (let count = 0; count < 8; count++) states.push(await processState(other))
    stopped.child.kill("SIGKILL")
    await stopped.ended
    states.push(await processState(other))
    // Its number has been given to another process, which is ours.
    states.push(await processState({ pid: process.pid, start: other.start }))
    return { start: own.start, states }
  },

  inUse: async () => {
    const file = join(folder, "numbers", "one.json")
    await Effect.runPromise(numbers.set("one", { value: 1 }))
    const open = () => openSync(file, 2 | alone)
    const first = open()
    setTimeout(() => closeSync(first), 700)
    const moment = await warnings(numbers.set("one", { value: 2 }))
    const afterMoment = read(file)
    const reading = open()
    setTimeout(() => closeSync(reading), 300)
    const seen = Option.getOrUndefined(
      await Effect.runPromise(
        StateFolder.make(folder).collection(
          "numbers",
          Schema.Struct({ value: Schema.Number })
        ).get("one")
      )
    )
    const second = open()
    const long = await warnings(numbers.set("one", { value: 3 }))
    const afterLong = Option.getOrUndefined(await Effect.runPromise(numbers.get("one")))
    closeSync(second)
    const kept = read(file)
    await Effect.runPromise(StateFolder.make(folder).collection("numbers", Count).set("one", { value: 4 }))
    const later = Option.getOrUndefined(await Effect.runPromise(numbers.get("one")))
    const scope = await Effect.runPromise(Scope.make())
    const locks = join(folder, "locks")
    await Effect.runPromise(Scope.extend(FileLock.acquire(locks, "one"), scope))
    const claim = openSync(join(locks, readdirSync(locks)[0] ?? ""), 2 | alone)
    setTimeout(() => closeSync(claim), 400)
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return { moment, afterMoment, seen, long, afterLong, kept, later, left: readdirSync(locks) }
  }
}

void ways[way]?.().then((result) => {
  if (result !== undefined) write(output, result)
  process.exit()
})
