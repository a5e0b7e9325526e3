/**
 * `mcp-lifeline audit`: summarizes the calls of a file, and of the full ones that belong to it.
 */
import { Effect, Predicate } from "effect"
import { constants } from "node:fs"
import { type FileHandle, open, readdir } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { StartError } from "../Errors.js"
import * as Grid from "../Grid.js"
import * as Output from "../Output.js"
import { clean, json as jsonText } from "../Text.js"
import type { Request } from "./Arguments.js"
import { type AuditLine, durationOf, read, shownCaller } from "./AuditLine.js"
import { type Report, Summary, type Sums } from "./Summary.js"

/** A line that is longer is none of ours. */
const longest = 4 * 1024 * 1024

/** The full files and the present one, oldest first. */
const filesOf = async (file: string): Promise<ReadonlyArray<string>> => {
  const name = basename(file)
  const numbers = (await readdir(dirname(file))).flatMap((other) => {
    const number = other.startsWith(`${name}.`) ? other.slice(name.length + 1) : ""
    return /^[1-9]\d{0,5}$/.test(number) ? [Number(number)] : []
  })
  return [...numbers.toSorted((a, b) => b - a).map((number) => join(dirname(file), `${name}.${number}`)), file]
}

/** The lines of a file. Of one that is too long, only the end. */
async function* linesOf(handle: FileHandle): AsyncGenerator<string, undefined> {
  let rest = ""
  for await (const chunk of handle.createReadStream({ autoClose: false, encoding: "utf8" })) {
    const [first = "", ...more] = String(chunk).split("\n")
    rest = rest.length > longest ? first : rest + first
    for (const next of more) {
      yield rest
      rest = next
    }
  }
  yield rest
}

/** Windows has no O_NONBLOCK. Without it, opening a pipe that nobody writes would block the program. */
const { O_NONBLOCK = 0, O_RDONLY } = constants

/** Adds what stands in a file. */
const add = async (file: string, summary: Summary): Promise<void> => {
  const handle = await open(file, O_RDONLY | O_NONBLOCK)
  try {
    if (!(await handle.stat()).isFile()) throw new Error("it is no regular file")
    for await (const line of linesOf(handle)) {
      if (line === "") continue
      const call = read(line)
      if (call !== undefined) summary.add(call)
      else if (!isKnown(line, summary)) summary.unreadable++
    }
  } finally {
    await handle.close()
  }
}

/** Whether it is a line of the gateway about itself. */
const isKnown = (line: string, summary: Summary): boolean => {
  try {
    const found: unknown = JSON.parse(line)
    if (!Predicate.isRecord(found)) return false
    if (found["event"] === "lost" && Predicate.isNumber(found["lines"])) summary.lost += found["lines"]
    return found["event"] === "lost" || found["event"] === "start"
  } catch {
    return false
  }
}

const millis = (value: number): string => value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`

const share = (part: number, of: number): string => part === 0 ? "" : `${Math.round(100 * part / of)}%`

const sums = (title: string, rows: ReadonlyArray<Sums>, width: number): string =>
  Grid.render({
    head: [title, "calls", "errors", "", "unknown", "mean", "longest"],
    rows: rows.map(({ calls, errors, longest, name, shown = name, time, unknown }) => [
      clean(shown),
      String(calls),
      String(errors),
      share(errors, calls),
      String(unknown),
      millis(time / calls),
      millis(longest)
    ]),
    shrinking: [[0, 12]]
  }, width)

const slow = (lines: ReadonlyArray<AuditLine>, width: number): string =>
  Grid.render({
    head: ["slowest", "waited", "answered", "client", "server", "tool", "outcome"],
    rows: lines.map((line) => [
      clean(line.time),
      millis(line.waited),
      line.answered === undefined ? "-" : millis(line.answered),
      clean(shownCaller(line.client)),
      clean(line.server ?? "-"),
      clean(line.tool),
      clean(line.outcome)
    ]),
    shrinking: [[5, 12], [3, 8]]
  }, width)

const tables = (report: Report, width: number): ReadonlyArray<string> => {
  const { calls, clients, errors, failures, from, lost, servers, slowest, tools, to, unreadable } = report
  const notes = [
    ...(unreadable === 0 ? [] : [`${unreadable} ${unreadable === 1 ? "line is" : "lines are"} no call, or cut off`]),
    ...(lost === 0
      ? []
      : [`${lost} ${lost === 1 ? "call has" : "calls have"} no line, because it could not be written`])
  ]
  if (calls === 0) return ["There are no calls in it", ...notes]
  const failed = Grid.render({
    head: ["errors", "why", "fate", "server", "tool"],
    rows: failures.map(({ calls, fate, server, tool, what }) => [String(calls), what, fate, server, tool].map(clean)),
    shrinking: [[4, 12], [1, 8]]
  }, width)
  return [
    `${calls} calls, ${errors} without success, from ${clean(from ?? "")} to ${clean(to ?? "")}`,
    ...notes,
    sums("client", clients, width),
    sums("server", servers, width),
    sums("server and tool", tools, width),
    ...(failures.length === 0 ? [] : [failed]),
    slow(slowest, width)
  ]
}

const forPrograms = (report: Report): object => ({
  ...report,
  slowest: report.slowest.map((line) => ({ ...line, duration: durationOf(line) }))
})

/** Prints the summary. */
export const run = ({ options: { file, json, top } }: Request): Effect.Effect<void, StartError> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    const summary = new Summary(top)
    yield* Effect.tryPromise({
      try: async () => {
        const files = await filesOf(file)
        for (const one of files) {
          await add(one, summary).catch((error: unknown) => {
            // The oldest one may have been removed since.
            const isGone = Predicate.hasProperty(error, "code") && error.code === "ENOENT"
            if (!isGone || (one === file && files.length === 1)) throw error
          })
        }
      },
      catch: (cause) =>
        new StartError({
          message: `${file} cannot be read: ${(cause as Error).message}; name the file of --audit`,
          cause
        })
    })
    const { report } = summary
    const texts = json ? [jsonText(forPrograms(report), 2)] : tables(report, yield* output.width)
    yield* Effect.forEach(texts, output.line, { discard: true })
  }))
