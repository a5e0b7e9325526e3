/**
 * Reads files of calls, line by line: their size does not matter for the memory.
 */
import { Predicate } from "effect"
import { constants } from "node:fs"
import { type FileHandle, open, readdir } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { StartError } from "../Errors.js"
import { read } from "./AuditLine.js"
import type { Summary } from "./Summary.js"
import { codeOf } from "./trouble.js"

/** A line that is longer is none of ours. */
const longest = 4 * 1024 * 1024
/** How many bytes are read at once. */
const chunkSize = 1024 * 1024
/** After so many lines of which none is ours, the file is none of ours. */
const enough = 1000

/** A file, and the full ones that belong to it, oldest first. */
const filesOf = async (file: string): Promise<ReadonlyArray<string>> => {
  const name = basename(file)
  // Who may not list the folder may still read the file.
  const others = await readdir(dirname(file)).catch(() => [])
  const numbers = others.flatMap((other) => {
    const number = other.startsWith(`${name}.`) ? other.slice(name.length + 1) : ""
    return /^[1-9]\d{0,5}$/.test(number) ? [Number(number)] : []
  })
  return [...numbers.toSorted((a, b) => b - a).map((number) => join(dirname(file), `${name}.${number}`)), file]
}

/** The lines of a file, many at a time, because to wait for each would take longer than to read it. Of one that is too long, only the end. */
async function* linesOf(handle: FileHandle): AsyncGenerator<ReadonlyArray<string>, undefined> {
  let rest = ""
  for await (
    const chunk of handle.createReadStream({ autoClose: false, encoding: "utf8", highWaterMark: chunkSize })
  ) {
    const [first = "", ...more] = String(chunk).split("\n")
    rest = rest.length > longest ? first : rest + first
    const last = more.pop()
    if (last === undefined) continue
    yield [rest, ...more]
    rest = last
  }
  yield [rest]
}

/** Windows has no O_NONBLOCK. Without it, opening a pipe that nobody writes would block the program. */
const { O_NONBLOCK = 0, O_RDONLY } = constants

/** Why a file cannot be read, in words. */
const reasonOf = (error: unknown): string => {
  switch (codeOf(error)) {
    case "ENOENT":
      return "it does not exist"
    case "ENOTDIR":
      return "a part of its path is no folder"
    case "ENXIO":
      return "it is no regular file"
    case "EACCES":
    case "EPERM":
      return "this user may not read it"
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

const unreadable = (file: string, why: string, cause?: unknown): StartError =>
  new StartError({ message: `${file} cannot be read: ${why}; name the file of --audit`, cause })

/** How many lines were read of a file and its full ones: ours, and others. */
interface Counts {
  known: number
  unknown: number
}

const addLine = (line: string, summary: Summary, counts: Counts): void => {
  const call = read(line)
  if (call !== undefined) summary.add(call)
  if (call !== undefined || isOfGateway(line, summary)) counts.known++
  else if (isTorn(line)) summary.torn++
  else {
    summary.unreadable++
    counts.unknown++
  }
}

/** Adds what stands in one file. */
const add = async (file: string, summary: Summary, counts: Counts, signal: AbortSignal): Promise<void> => {
  const handle = await open(file, O_RDONLY | O_NONBLOCK)
  try {
    const found = await handle.stat()
    if (found.isDirectory()) throw new Error("it is a folder")
    if (!found.isFile()) throw new Error("it is no regular file")
    for await (const lines of linesOf(handle)) {
      signal.throwIfAborted()
      for (const line of lines) {
        if (line === "") continue
        addLine(line, summary, counts)
        // Not after all lines of a chunk: there may be a million, which nobody could stop meanwhile.
        if (counts.known === 0 && counts.unknown >= enough) return
      }
    }
  } finally {
    await handle.close()
  }
}

/** Whether it is a line of the gateway about itself. */
const isOfGateway = (line: string, summary: Summary): boolean => {
  try {
    const found: unknown = JSON.parse(line)
    if (!Predicate.isRecord(found)) return false
    if (found["event"] === "lost" && Predicate.isNumber(found["lines"])) summary.lost += found["lines"]
    return found["event"] === "lost" || found["event"] === "start"
  } catch {
    return false
  }
}

const beginning = `{"event":"`

/** Whether it is the beginning of one of our lines, of which a full disk or a crash has cut off the rest. */
const isTorn = (line: string): boolean => {
  if (!line.startsWith(beginning) && !beginning.startsWith(line)) return false
  try {
    JSON.parse(line)
    return false
  } catch {
    return true
  }
}

/** Adds what stands in a file, and in the full ones that belong to it. `seen`: what was added before. Rejects with a StartError. */
export const addAll = async (
  file: string,
  summary: Summary,
  seen: Set<string>,
  signal: AbortSignal
): Promise<void> => {
  const files = await filesOf(file)
  const counts: Counts = { known: 0, unknown: 0 }
  for (const one of files) {
    if (seen.has(one)) continue
    seen.add(one)
    try {
      await add(one, summary, counts, signal)
    } catch (error) {
      // The oldest one may have been removed since, or the youngest put aside.
      const isGone = codeOf(error) === "ENOENT"
      if (!isGone || (one === file && files.length === 1)) throw unreadable(one, reasonOf(error), error)
    }
  }
  if (counts.known === 0 && counts.unknown > 0) throw unreadable(file, "none of its lines is one of --audit")
}
