/**
 * Each process records the process groups that it has started, each in a file, and removes that when the group has ended. The next process
 * to start ends the groups whose owner is gone.
 *
 * A number proves nothing, because the system reuses it. A group is the recorded one if its leader was started when the record says so. If
 * the leader has ended, the group keeps its number while it has members; then one of these must have the record's random mark in its
 * environment, which only Linux shows. What is not proven is left alone.
 */
import { Effect, Option, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { readdir, readFile, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import * as FileLock from "./FileLock.js"
import * as machine from "./machine.js"
import * as privateFiles from "./privateFiles.js"
import { ofUser as userPath } from "./statePath.js"
import { NoAnswer, within } from "./within.js"

/** Durations in milliseconds. */
export interface Started {
  /** Of the group and its leader; undefined on Windows, which ends it by itself. */
  readonly pid: number | undefined
  /** How long it may take to end after its owner has died. */
  readonly stdinGrace: number
  /** How long it may take after SIGTERM. */
  readonly termGrace: number
  /** Until when it is left alone after that, in milliseconds since 1970. Default: it is not. */
  readonly finishBy?: number | undefined
  /** What belongs to it outside of the group, as JSON; for `endOther`. */
  readonly other?: unknown
}

export interface Recording {
  readonly env: Readonly<Record<string, string>>
  /** It was started, or has changed. Does not wait, and never fails: what cannot be recorded is not ended by others. */
  readonly started: (group: Started) => void
  /** Removes its record. */
  readonly ended: () => void
}

export interface ProcessRecords {
  readonly begin: () => Recording
  /** Ends what is left of processes that are gone. Never rejects. Runs once; later calls wait for the first. */
  readonly endLeft: () => Promise<void>
}

export interface Options {
  /** The state folder. Default: this user's. */
  readonly path?: string | undefined
  /** Ends what `Started.other` describes, once the group has ended. */
  readonly endOther?: ((other: unknown) => Promise<void>) | undefined
}

const Process = Schema.Struct({ pid: Schema.Int.pipe(Schema.greaterThan(1)), start: Schema.String })

/** Only of this version; everything else is left to whoever wrote it. */
const GroupRecord = Schema.Struct({
  machine: Schema.String,
  host: Schema.String,
  boot: Schema.String,
  owner: Process,
  leader: Schema.optional(Process),
  stdinGrace: Schema.JsonNumber,
  termGrace: Schema.JsonNumber,
  finishBy: Schema.optional(Schema.Unknown),
  other: Schema.optional(Schema.Unknown)
})
type GroupRecord = typeof GroupRecord.Type

const parse = Schema.decodeOption(Schema.parseJson(GroupRecord))

/** On Linux, the mark of the record in a server's environment. */
export const variable = "MCP_LIFELINE_PROCESS"

/** In bytes. */
const maxSize = 65_536
const maxRecords = 10_000
const atOnce = 16
/** Of records of other machines, in milliseconds. */
const maxAge = 30 * 24 * 3_600_000
/** The longest grace, and wait after SIGKILL, in milliseconds. */
const longestGrace = 5_000
/** For `finishBy`, from now, in milliseconds. */
const longestFinish = 3_600_000
const poll = 50
/** In milliseconds. */
const removeInterval = 1_000

/** Does not keep this process running. */
const wait = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis).unref())

const isLinux = process.platform === "linux"

/** Not all at once: open files are limited. */
const forEach = <A, B>(all: ReadonlyArray<A>, work: (one: A) => Promise<B>): Promise<ReadonlyArray<B>> =>
  Effect.runPromise(Effect.forEach(all, (one) => Effect.promise(() => work(one)), { concurrency: atOnce }))

type Member = readonly [pid: string, state: string]

/** Living processes by group. Linux only. */
const readGroups = async (): Promise<ReadonlyMap<number, ReadonlyArray<Member>>> => {
  const groups = new Map<number, Array<Member>>()
  await forEach((await readdir("/proc")).filter((name) => /^\d+$/.test(name)), async (pid) => {
    const [state = "", , pgrp] = machine.fieldsOf(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""))
    if (["", "Z", "X", "x"].includes(state)) return
    const group = groups.get(Number(pgrp)) ?? []
    groups.set(Number(pgrp), [...group, [pid, state]])
  })
  return groups
}

let reading: ReturnType<typeof readGroups> | undefined

/** All that ask meanwhile share one reading. */
const membersOf = async (group: number): Promise<ReadonlyArray<Member>> => {
  reading ??= readGroups().finally(() => reading = undefined)
  return (await reading).get(group) ?? []
}

const hasMark = async (pid: string, mark: string): Promise<boolean> => {
  const text = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")
  return text.split("\0").includes(`${variable}=${mark}`)
}

/** `gone` also if another group has its number. */
const groupState = async (leader: machine.Process, mark: string): Promise<"running" | "gone"> => {
  const start = await machine.startOf(leader.pid)
  if (start !== undefined) return start !== "" && start === leader.start ? "running" : "gone"
  if (!isLinux) return "gone"
  const members = await membersOf(leader.pid)
  const marked = await Promise.all(members.map(([pid]) => hasMark(pid, mark)))
  return marked.includes(true) ? "running" : "gone"
}

const signal = (group: number, name: NodeJS.Signals): void => {
  try {
    process.kill(-group, name)
  } catch {
    // It has ended.
  }
}

/** As its owner would have. True if it is gone. */
const endGroup = async (leader: machine.Process, mark: string, record: GroupRecord): Promise<boolean> => {
  const goneWithin = async (millis: number): Promise<boolean> => {
    const deadline = performance.now() + Math.min(Math.max(0, millis), longestGrace)
    for (;;) {
      if (await groupState(leader, mark) === "gone") return true
      const left = deadline - performance.now()
      if (left <= 0) return false
      await wait(Math.min(poll, left))
    }
  }
  /** A stopped one would carry out what waits in its pipe before it acts on SIGTERM. */
  const isStopped = async (): Promise<boolean> =>
    isLinux && (await membersOf(leader.pid)).some(([, state]) => state === "T" || state === "t")
  // Its owner may have died just now.
  if (await goneWithin(await isStopped() ? 0 : record.stdinGrace)) return true
  if (!await isStopped()) {
    signal(leader.pid, "SIGTERM")
    if (await goneWithin(record.termGrace)) return true
  }
  signal(leader.pid, "SIGKILL")
  return goneWithin(longestGrace)
}

export const make = (options: Options = {}): ProcessRecords => {
  const path = options.path ?? userPath()
  const folder = join(path, "processes")
  const fileOf = (mark: string): string => join(folder, `${mark}.json`)
  const bounded = <A>(work: () => Promise<A>): Promise<A> => within(folder, work)
  const removeNow = (mark: string): Promise<void> => bounded(() => privateFiles.remove(fileOf(mark)))
  const remove = (mark: string): Promise<void> => removeNow(mark).catch(() => undefined)
  /** Until the file system answers, what was not written in time may still be. */
  const removeEventually = async (mark: string): Promise<void> => {
    for (;;) {
      try {
        return await removeNow(mark)
      } catch (error) {
        if (!(error instanceof NoAnswer)) return
        await wait(removeInterval)
      }
    }
  }

  const write = async (mark: string, started: Started): Promise<void> => {
    const start = started.pid === undefined ? "" : await machine.startOf(started.pid)
    // Without its start, or ended by now, it could not be recognized.
    const leader = start === undefined || start === "" ? undefined : { pid: started.pid, start }
    if (leader === undefined && started.other === undefined) return
    const { pid: _, ...told } = started
    const { boot, machine: here } = machine
    const record = { machine: here, host: hostname(), boot, owner: await machine.self(), leader, ...told }
    await bounded(async () => {
      await privateFiles.prepare(path, folder)
      await privateFiles.replace(fileOf(mark), JSON.stringify(record))
    })
  }

  const begin = (): Recording => {
    const mark = randomBytes(16).toString("hex")
    let written: Promise<void> | undefined
    return {
      env: isLinux ? { [variable]: mark } : {},
      started: (started) => {
        written = (written ?? Promise.resolve()).then(() => write(mark, started)).catch(() => undefined)
      },
      ended: () => void written?.then(() => removeEventually(mark))
    }
  }

  const read = async (mark: string): Promise<GroupRecord | undefined> => {
    const file = fileOf(mark)
    if ((await stat(file)).size > maxSize) return undefined
    return Option.getOrUndefined(parse(await privateFiles.readPrivate(file)))
  }

  /** If its owner is gone. Removes what is of no use any more. */
  const leftOf = async (mark: string): Promise<GroupRecord | undefined> => {
    const record = await bounded(() => read(mark)).catch(() => undefined)
    if (record === undefined) return undefined
    if (record.machine === machine.machine) {
      if (await machine.processState(record.owner) !== "gone") return undefined
      // Setting the clock back does not make it stay for longer.
      const left = typeof record.finishBy === "number" ? record.finishBy - Date.now() : 0
      return left > 0 && left <= longestFinish ? undefined : record
    }
    const { mtimeMs } = await bounded(() => stat(fileOf(mark)))
    const isOver = record.host === hostname() && record.boot !== machine.boot
    if (isOver || Date.now() - mtimeMs > maxAge) await remove(mark)
    return undefined
  }

  const look = async (): Promise<ReadonlyArray<readonly [mark: string, record: GroupRecord]>> => {
    const names = (await bounded(() => readdir(folder)).catch(() => [])).slice(0, maxRecords)
    await bounded(() => privateFiles.removeUnfinished(folder, names)).catch(() => undefined)
    const marks = names.flatMap((name) => /^([0-9a-f]{32})\.json$/.exec(name)?.slice(1) ?? [])
    const found = await forEach(marks, async (mark) => {
      const record = await leftOf(mark).catch(() => undefined)
      return record === undefined ? [] : [[mark, record] as const]
    })
    return found.flat()
  }

  const end = async (mark: string, record: GroupRecord): Promise<void> => {
    const { leader } = record
    // Also if it could not be ended: another try would end nothing.
    if (leader !== undefined && process.platform !== "win32") await endGroup(leader, mark, record)
    if (record.other !== undefined) await options.endOther?.(record.other).catch(() => undefined)
    await remove(mark)
  }

  const endAll = async (): Promise<void> => {
    await bounded(() => privateFiles.verify(path, folder))
    // Usually nothing is left, and nobody waits for a lock.
    if ((await look()).length === 0) return
    const ended = Effect.promise(async () => Promise.all((await look()).map(([mark, record]) => end(mark, record))))
    await Effect.runPromise(Effect.scoped(Effect.zipRight(FileLock.acquire(folder, "end"), ended)))
  }

  let ending: Promise<void> | undefined
  return { begin, endLeft: () => ending ??= endAll().catch(() => undefined) }
}

const shared = new Map<string, ProcessRecords>()

/** All of this process share them. */
export const ofUser = (endOther: NonNullable<Options["endOther"]>): ProcessRecords => {
  const path = userPath()
  const records = shared.get(path) ?? make({ path, endOther })
  shared.set(path, records)
  return records
}
