import { clean } from "../text/Text.js"
import { coloured } from "./Diff.js"
import type { Server } from "./Plan.js"

/** For a change that `adopt` does not make. */
export interface Todo {
  readonly what: string
  readonly commands: ReadonlyArray<string>
}

export interface FileReport {
  readonly file: string
  readonly host: string | undefined
  /** The file behind symbolic links, if there are any. */
  readonly leadsTo?: string | undefined
  /** `not asked`: there was no user to ask; `not changed`: the user refused, or has to change it (`todo`). */
  readonly status: "changed" | "would change" | "not changed" | "not asked" | "nothing to do" | "failed"
  readonly servers: ReadonlyArray<Server>
  readonly diff: ReadonlyArray<string>
  readonly messages: ReadonlyArray<string>
  readonly todo: ReadonlyArray<Todo>
}

const verbs: Readonly<Record<Server["outcome"], string>> = {
  wrapped: "wrap",
  "already wrapped": "keep",
  left: "leave",
  unwrapped: "unwrap",
  "not unwrapped": "leave"
}

const serverLine = ({ name, outcome, reason, section }: Server): string => {
  const where = section.length > 2 ? ` (${section[1]})` : ""
  const why = outcome === "already wrapped" ? "it is wrapped already" : reason
  return `  ${verbs[outcome].padEnd(7)}${clean(name + where)}${why === undefined ? "" : `: ${clean(why)}`}`
}

export const heading = (
  { diff, file, host, leadsTo, servers }: FileReport,
  colour: boolean
): ReadonlyArray<string> => [
  (host === undefined ? clean(file) : `${host}: ${clean(file)}`) +
  (leadsTo === undefined ? "" : `, a symbolic link to ${clean(leadsTo)}`),
  ...servers.map(serverLine),
  ...diff.map((line) => line.replaceAll(/[^\P{Cc}\t]|\p{Cf}/gu, "?")).map((line) => colour ? coloured(line) : line)
]

export const ending = ({ messages }: FileReport): ReadonlyArray<string> =>
  messages.map((message) => `  ${clean(message)}`)

export const json = (files: ReadonlyArray<FileReport>, exitCode: number): string =>
  JSON.stringify({ version: 1, exitCode, files }, null, 2)

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`

/** `typed`: how the user starts this program. */
export const summary = (files: ReadonlyArray<FileReport>, isUndo: boolean, typed: string): ReadonlyArray<string> => {
  const outcome = isUndo ? "unwrapped" : "wrapped"
  const of = (some: ReadonlyArray<FileReport>) =>
    some.flatMap(({ servers }) => servers).filter((server) => server.outcome === outcome).length
  const changed = files.filter(({ status }) => status === "changed")
  const open = files.filter(({ todo }) => todo.length > 0)
  const verb = isUndo ? "Unwrapped" : "Wrapped"
  const yet = of(open) === 1 ? `server is not ${outcome} yet` : `servers are not ${outcome} yet`
  const restart = changed.length === 0 && open.length === 0
    ? []
    : [{ what: "Restart the hosts: they read their files when they start.", commands: [] }]
  const todo = [...open.flatMap(({ todo }) => todo), ...restart]
  const done = [
    ...(changed.length === 0 ? [] : [`${verb} ${count(of(changed), "server")} in ${count(changed.length, "file")}.`]),
    ...(open.length === 0 ? [] : [`${of(open)} ${yet}.`])
  ]
  return [
    ...(done.length === 0 ? [] : [done.join(" ")]),
    ...(todo.length === 0 ? [] : ["What is left to do:"]),
    ...todo.flatMap(({ commands, what }, index) => [
      `${String(index + 1).padStart(3)}. ${clean(what)}`,
      ...commands.map((command) => `       ${clean(command)}`)
    ]),
    ...(changed.length === 0 || isUndo ? [] : [`To undo it: ${clean(typed)} adopt --undo`])
  ]
}
