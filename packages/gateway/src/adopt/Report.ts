/**
 * What became of the files, for people and for programs. Pure.
 */
import { clean } from "../Text.js"
import { coloured } from "./Diff.js"
import type { Server } from "./Plan.js"

/** What became of one file. */
export interface FileReport {
  readonly file: string
  readonly host: string | undefined
  /** The file that is read and written, where symbolic links lead to another one. */
  readonly leadsTo?: string | undefined
  /** `not asked`: nobody was there to agree; `not changed`: somebody said no, or has to do it by other means. */
  readonly status: "changed" | "would change" | "not changed" | "not asked" | "nothing to do" | "failed"
  readonly servers: ReadonlyArray<Server>
  /** The lines of the difference, without secrets. */
  readonly diff: ReadonlyArray<string>
  /** What is to be known of the file, or to be done with it. */
  readonly messages: ReadonlyArray<string>
  /** Commands that do by another program what was not done here. */
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

/** What is shown of a file before it is changed. */
export const heading = (
  { diff, file, host, leadsTo, servers }: FileReport,
  colour: boolean
): ReadonlyArray<string> => [
  (host === undefined ? clean(file) : `${host}: ${clean(file)}`) +
  (leadsTo === undefined ? "" : `, a symbolic link to ${clean(leadsTo)}`),
  ...servers.map(serverLine),
  ...diff.map((line) => line.replaceAll(/[^\P{Cc}\t]|\p{Cf}/gu, "?")).map((line) => colour ? coloured(line) : line)
]

/** What is said of it afterwards. */
export const ending = ({ commands, messages }: FileReport): ReadonlyArray<string> => [
  ...messages.map((message) => `  ${clean(message)}`),
  ...commands.map((command) => `    ${clean(command)}`)
]

/** All of it as one JSON document. */
export const json = (files: ReadonlyArray<FileReport>, exitCode: number): string =>
  JSON.stringify({ version: 1, exitCode, files }, null, 2)

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`

/** The last lines. */
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
