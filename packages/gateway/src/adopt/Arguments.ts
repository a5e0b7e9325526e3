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
  `Puts \`mcp-lifeline wrap\` in front of the MCP servers that hosts on this machine have in their configurations.

  mcp-lifeline adopt                 all configurations that are found, of the user and of the project in this folder
  mcp-lifeline adopt --host NAME     those of one host
  mcp-lifeline adopt FILE            one file: JSON with or without comments, TOML or YAML
  mcp-lifeline adopt --undo [...]    makes the files what they were before

It shows each change and asks before it writes; comments, order and indentation stay. A copy of each file is kept in the state
folder. Restart the host afterwards.

Options
  --only NAME    this server only, also if it is disabled; may be repeated
  --dry-run      show what would change, and change nothing
  --yes          do not ask
  --json         print one JSON document; asks nothing, and changes files only with --yes
  --help         show this

Hosts
${
    Array.from({ length: Math.ceil(hosts.length / 7) }, (_, row) =>
      `  ${hosts.slice(row * 7, row * 7 + 7).map(({ id }) => id).join(", ")}`).join(",\n")
  }

Environment
  MCP_LIFELINE_STATE   the folder that keeps the copies; default: the platform's folder for state

Exit codes: 0 done, or nothing to do; 1 something could not be done, or was not, because nobody was there to be asked; 2 the command
line is wrong.
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
  if (second !== undefined) throw wrong(`${second} stands behind the file; one file is adopted at a time`)
  if (other !== undefined) throw wrong("--host is there more than once")
  if (file === "") throw wrong("the name of the file is empty")
  if (file !== undefined && host !== undefined) throw wrong("--host and a file stand side by side; keep one of the two")
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
