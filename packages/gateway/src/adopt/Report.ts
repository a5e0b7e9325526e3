/**
 * Reports what happened to the files, for people and for programs. Pure.
 */
import { clean } from "../Text.js"
import { coloured } from "./Diff.js"
import type { Server } from "./Plan.js"

/** What happened to one file. */
export interface FileReport {
  readonly file: string
  readonly host: string | undefined
  /** The file behind symbolic links, if there are any. */
  readonly leadsTo?: string | undefined
  /** `not asked`: there was no user to ask; `not changed`: the user refused, or has to change it in another way. */
  readonly status: "changed" | "would change" | "not changed" | "not asked" | "nothing to do" | "failed"
  readonly servers: ReadonlyArray<Server>
  /** The lines of the difference, without secrets. */
  readonly diff: ReadonlyArray<string>
  /** What the user should know or do about the file. */
  readonly messages: ReadonlyArray<string>
  /** Commands of another program that make the change. */
  readonly commands: ReadonlyArray<string>
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

/** The lines to print before a file is changed. */
export const heading = (
  { diff, file, host, leadsTo, servers }: FileReport,
  colour: boolean
): ReadonlyArray<string> => [
  (host === undefined ? clean(file) : `${host}: ${clean(file)}`) +
  (leadsTo === undefined ? "" : `, a symbolic link to ${clean(leadsTo)}`),
  ...servers.map(serverLine),
  ...diff.map((line) => line.replaceAll(/[^\P{Cc}\t]|\p{Cf}/gu, "?")).map((line) => colour ? coloured(line) : line)
]

/** The lines to print afterwards. */
export const ending = ({ commands, messages }: FileReport): ReadonlyArray<string> => [
  ...messages.map((message) => `  ${clean(message)}`),
  ...commands.map((command) => `    ${clean(command)}`)
]

/** All reports as one JSON document. */
export const json = (files: ReadonlyArray<FileReport>, exitCode: number): string =>
  JSON.stringify({ version: 1, exitCode, files }, null, 2)

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`

/** The lines to print at the end. */
export const summary = (files: ReadonlyArray<FileReport>, isUndo: boolean): ReadonlyArray<string> => {
  const changed = files.filter(({ status }) => status === "changed")
  if (changed.length === 0) return []
  const servers = changed.flatMap(({ servers }) => servers).filter(({ outcome }) =>
    outcome === (isUndo ? "unwrapped" : "wrapped")
  )
  const first =
    `${isUndo ? "Unwrapped" : "Wrapped"} ${count(servers.length, "server")} in ${count(changed.length, "file")}. ` +
    "Hosts read their files when they start: restart them."
  return isUndo ? [first] : [first, "`mcp-lifeline adopt --undo` undoes it."]
}
