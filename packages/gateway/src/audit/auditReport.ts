/**
 * A summary of calls, as tables for people and as a value for programs. Pure.
 */
import * as Grid from "../Grid.js"
import { clean } from "../Text.js"
import { type AuditLine, durationOf, shownCaller } from "./AuditLine.js"
import type { Errors, Report, Sums } from "./Summary.js"

const millis = (value: number): string =>
  value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)} s`

const share = (part: number, of: number): string => part === 0 ? "" : `${Math.round(100 * part / of)}%`

/** `2026-01-02 03:04:05` of a time in ISO 8601. */
const moment = (iso: string): string => clean(iso.slice(0, 19).replace("T", " "))

const place = (server: string | null, tool: string): string => clean(`${server ?? "-"} ${tool}`)

const sums = (title: string, rows: ReadonlyArray<Sums>, width: number): string =>
  Grid.render({
    head: [title, "calls", "errors", "share", "unknown", "mean", "longest"],
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

const failed = (rows: ReadonlyArray<Errors>, width: number): string =>
  Grid.render({
    head: ["errors", "why", "fate", "last (UTC)", "server and tool"],
    rows: rows.map(({ calls, fate, last, server, tool, what }) => [
      String(calls),
      clean(what),
      clean(fate),
      moment(last),
      place(server, tool)
    ]),
    shrinking: [[4, 12], [1, 8]]
  }, width)

// The last column is one that may shrink: a table whose last column does not fit shows it below.
const slow = (lines: ReadonlyArray<AuditLine>, width: number): string =>
  Grid.render({
    head: ["slowest (UTC)", "took", "waited", "outcome", "client", "server and tool"],
    rows: lines.map((line) => [
      moment(line.time),
      millis(durationOf(line)),
      millis(line.waited),
      clean(line.outcome),
      clean(shownCaller(line.client)),
      place(line.server, line.tool)
    ]),
    shrinking: [[5, 12], [4, 8], [3, 10], [5, 8], [4, 6]]
  }, width)

const counted = (count: number, one: string, several: string): ReadonlyArray<string> =>
  count === 0 ? [] : [`${count} ${count === 1 ? one : several}`]

/** The tables, of at most so many columns of text. */
export const forPeople = (report: Report, width: number): ReadonlyArray<string> => {
  const { calls, clients, errors, failures, from = "", lost, servers, slowest, to = "", tools, torn, unreadable } =
    report
  const notes = [
    ...counted(
      torn,
      "line is cut off, as by a full disk or a crash, and left out",
      "lines are cut off, as by a full disk or a crash, and left out"
    ),
    ...counted(unreadable, "line is none of --audit, and left out", "lines are none of --audit, and left out"),
    ...counted(
      lost,
      "call has no line, because it could not be written",
      "calls have no line, because it could not be written"
    )
  ]
  if (calls === 0) return ["There are no calls in it", ...notes]
  return [
    `${calls} ${calls === 1 ? "call" : "calls"}, ${errors} without success, from ${moment(from)} to ${moment(to)} UTC`,
    ...notes,
    sums("client", clients, width),
    sums("server", servers, width),
    sums("server and tool", tools, width),
    ...(failures.length === 0 ? [] : [failed(failures, width)]),
    slow(slowest, width)
  ]
}

/** The same for programs. Times are in milliseconds. */
export const forPrograms = (report: Report): object => ({
  ...report,
  slowest: report.slowest.map((line) => ({ ...line, duration: durationOf(line) }))
})
