/**
 * Values are completed as file names.
 */
import { type Command, nameOf } from "./Command.js"

type Commands = ReadonlyArray<Command<unknown>>

const optionsOf = ({ options }: Command<unknown>): ReadonlyArray<readonly [name: string, help: string]> => [
  ...Object.entries(options).map(([key, { help }]) => [nameOf(key), help] as const),
  ["--help", "Show help."]
]

/** The first sentence, in quotes that all three shells read. */
const quoted = (text: string): string => `'${text.split(/(?<=[.:]) /, 1)[0]!.replaceAll(/['\\]/g, "")}'`

const described = (name: string, help: string): string => quoted(`${name.replaceAll(":", "")}:${help}`)

const bash = (commands: Commands): string =>
  `_mcp_lifeline() {
  local words="" word="\${COMP_WORDS[COMP_CWORD]}"
  if [[ $COMP_CWORD -eq 1 ]]; then words="${commands.map(({ name }) => name).join(" ")} --version --help"
  elif [[ $word == -* ]]; then case "\${COMP_WORDS[1]}" in
${commands.map((one) => `    ${one.name}) words="${optionsOf(one).map(([name]) => name).join(" ")}" ;;`).join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _mcp_lifeline mcp-lifeline`

const zsh = (commands: Commands): string =>
  `#compdef mcp-lifeline
_mcp_lifeline() {
  local -a found
  if (( CURRENT == 2 )); then
    found=(${commands.map(({ name, summary }) => described(name, summary)).join(" ")})
    _describe command found
  elif [[ \${words[CURRENT]} == -* ]]; then
    case \${words[2]} in
${
    commands.map((one) => `      ${one.name}) found=(${optionsOf(one).map((row) => described(...row)).join(" ")}) ;;`)
      .join("\n")
  }
    esac
    _describe -o option found
  else
    _files
  fi
}
compdef _mcp_lifeline mcp-lifeline`

const fish = (commands: Commands): string =>
  commands.flatMap((one) => [
    `complete -c mcp-lifeline -n __fish_use_subcommand -f -a ${one.name} -d ${quoted(one.summary)}`,
    ...optionsOf(one).map(([name, help]) =>
      `complete -c mcp-lifeline -n '__fish_seen_subcommand_from ${one.name}' -l ${name.slice(2)} -d ${quoted(help)}`
    )
  ]).join("\n")

export const scripts: Readonly<Record<string, (commands: Commands) => string>> = { bash, zsh, fish }
