/**
 * The command line of `adopt`, as data.
 */
import { parseArgs } from "node:util"
import { UsageError } from "../Errors.js"
import { hosts } from "./Hosts.js"

export interface Adopt {
  /** Whose configurations; all that are found, where neither it nor `file` is given. */
  readonly host: string | undefined
  readonly file: string | undefined
  readonly only: ReadonlyArray<string>
  readonly undo: boolean
  readonly dryRun: boolean
  readonly yes: boolean
  readonly json: boolean
}

export const help =
  `Puts \`mcp-lifeline wrap\` in front of the MCP servers in the configurations of the hosts on this machine.

  mcp-lifeline adopt                 every configuration it finds: yours, and those of the project in this folder
  mcp-lifeline adopt --host NAME     those of one host
  mcp-lifeline adopt FILE            one file: JSON with or without comments, TOML or YAML
  mcp-lifeline adopt --undo [...]    restores the files

It shows each change and asks before it writes. It keeps comments, order and indentation, and saves a copy of each file in the
state folder. Restart the host afterwards.

Options
  --only NAME    change only this server, even if it is disabled; may be repeated
  --dry-run      show what would change, and change nothing
  --yes          do not ask
  --json         print one JSON document and ask nothing; change files only with --yes
  --help         show this

Hosts
${
    Array.from({ length: Math.ceil(hosts.length / 7) }, (_, row) =>
      `  ${hosts.slice(row * 7, row * 7 + 7).map(({ id }) => id).join(", ")}`).join(",\n")
  }

Environment
  MCP_LIFELINE_STATE   the state folder; default: the platform's folder for state

Exit codes: 0 done, or nothing to do; 1 something failed, or there was no terminal on which to ask; 2 the command line is wrong.
`

const wrong = (message: string): UsageError => new UsageError({ message: `${message}; see mcp-lifeline adopt --help` })

const options = {
  host: { type: "string", multiple: true },
  only: { type: "string", multiple: true },
  undo: { type: "boolean" },
  "dry-run": { type: "boolean" },
  yes: { type: "boolean", short: "y" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} as const

const parse = (argv: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    const message = String((error as Error).message)
    const [, option] = /'(?:-\w, )?(-[^\s'=]*)/.exec(message) ?? []
    if ((error as { readonly code?: string }).code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
      throw wrong(`unknown option ${option}`)
    }
    throw wrong(/argument missing|ambiguous/.test(message) ? `${option} needs a value` : `${option} takes no value`)
  }
}

/** Reads what follows `adopt`. Throws a UsageError; gives `undefined` where help is asked for. */
export const read = (argv: ReadonlyArray<string>): Adopt | undefined => {
  const { positionals, values } = parse(argv)
  if (values.help === true) return undefined
  const [file, second] = positionals
  const [host, other] = values.host ?? []
  if (second !== undefined) throw wrong(`${second} follows the file; adopt takes one file at a time`)
  if (other !== undefined) throw wrong("--host appears more than once")
  if (file === "") throw wrong("the name of the file is empty")
  if (file !== undefined && host !== undefined) throw wrong("--host and a file cannot be combined; keep one of the two")
  if (host !== undefined && !hosts.some(({ id }) => id === host)) {
    throw wrong(`--host ${host} is not known; there are: ${hosts.map(({ id }) => id).join(", ")}`)
  }
  if (values.only?.includes("") === true) throw wrong("--only needs a value")
  return {
    host,
    file,
    only: values.only ?? [],
    undo: values.undo ?? false,
    dryRun: values["dry-run"] ?? false,
    yes: values.yes ?? false,
    json: values.json ?? false
  }
}
