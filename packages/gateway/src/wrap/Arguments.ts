import { Check } from "@mcp-lifeline/core/options"
import type { Bytes } from "@mcp-lifeline/core/text"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type * as Audit from "../audit/Audit.js"
import * as AuditOptions from "../audit/AuditOptions.js"
import * as CommandLine from "../commandLine/Command.js"
import * as HostLimit from "../commandLine/hostLimit.js"
import { client } from "../sign-in/options.js"

export interface Command {
  readonly _tag: "Command"
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** As it is written. */
  readonly maxMemory: string | undefined
}

export interface Address {
  readonly _tag: "Address"
  readonly url: string
  /** Each as `NAME: VALUE`. `${VARIABLE}` in it is replaced from the environment. */
  readonly headers: ReadonlyArray<string>
  readonly headerFile: string | undefined
  readonly transport: "auto" | "streamable" | "sse"
  /** If the server asks for a login. */
  readonly browser: boolean
  /** Keeps several logins at one server apart. */
  readonly account: string | undefined
  readonly client: OAuthClient
}

/** `${VARIABLE}` in id and secret is replaced from the environment. */
export interface OAuthClient {
  readonly id: string | undefined
  readonly issuer: string | undefined
  readonly secret: string | undefined
  readonly keyFile: string | undefined
  readonly keyAlgorithm: string | undefined
  readonly metadataUrl: string | undefined
  readonly scope: string | undefined
  readonly callbackPort: number | undefined
  readonly method: "browser" | "credentials"
}

export interface Wrap {
  readonly server: Command | Address
  readonly name: string | undefined
  readonly protocol: "auto" | "2025" | "2026" | undefined
  /** Each as `NAME=COMMAND`. */
  readonly secrets: ReadonlyArray<string>
  /** Each as `NAME=VALUE`. */
  readonly options: ReadonlyArray<string>
  /** What becomes of tools whose definitions were not approved. */
  readonly pin: "warn" | "block" | undefined
  /** Names and patterns of tools; all if there are none. */
  readonly only: ReadonlyArray<string>
  /** Names and patterns of tools. */
  readonly hide: ReadonlyArray<string>
  /** Without a glob: the files that the command line names. */
  readonly watch: { readonly glob: string | undefined } | undefined
  /** For a host on standard output. */
  readonly maxMessage: Bytes | undefined
  readonly audit: Audit.Options | undefined
  /** Files for events (`log`) and for messages (`record`). */
  readonly log: string | undefined
  readonly record: string | undefined
}

export interface Request {
  readonly _tag: "Wrap"
  readonly options: Wrap
}

const details =
  `Put it in the place of the server's command in the configuration of a host (Claude, Cursor, VS Code, ...):

  "files": { "command": "mcp-lifeline", "args": ["wrap", "--", "npx", "-y", "server-files"] }`

const ofUrl = {
  header: CommandLine.texts(
    "'NAME: VALUE'",
    "Send this header with every request to a URL. ${VARIABLE} is replaced from the environment."
  ),
  headerFile: CommandLine.text("FILE", "The same, with one header on each line of the file."),
  transport: CommandLine.withDefault(
    CommandLine.choice<Address["transport"]>({ auto: "auto", http: "streamable", sse: "sse" }, "For a URL."),
    "auto"
  ),
  browser: CommandLine.flag(
    "Open a browser if a URL asks for a login, but never if CI is set. Default: only show the address."
  ),
  ...client,
  clientSecret: CommandLine.text("'${VARIABLE}'", "Its secret, from the environment.")
}

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** An address without its scheme. No program is called like that. */
const withoutScheme = /^([\w.-]{1,253}|\[[\da-f:]{2,45}\]):\d{1,5}(\/\S*)?$/i

export const command = CommandLine.make({
  name: "wrap",
  summary: "Run in front of one MCP server, so that its host notices only a delay when it crashes, hangs or restarts.",
  usage: [["[options] -- COMMAND [ARGUMENTS]", "A server to start."], ["[options] URL", "A server at a URL."]],
  details,
  arguments: { url: CommandLine.optional("URL", "The address of the server.") },
  isProgram: (argument) => !isUrl(argument) && !withoutScheme.test(argument),
  options: {
    name: CommandLine.text(
      "NAME",
      "The server's name in messages. Default: what the command runs, or the host name of the URL."
    ),
    protocol: CommandLine.choice(
      { auto: "auto", "2025": "2025", "2026": "2026" } as const,
      "What the server speaks: 2025 (stateful, with sessions) or 2026 (stateless). Default: auto, which asks it."
    ),
    option: CommandLine.texts(
      "NAME=VALUE",
      'An option of supervision, such as keepalive.interval=1min or timeouts.request=30s: one of those of "lifeline" in an '
        + "mcp.json."
    ),
    pin: CommandLine.choice(
      { warn: "warn", block: "block" } as const,
      "Remember the definitions of the server's tools, and say how one has changed; with block, also withhold it until it is approved."
    ),
    only: CommandLine.texts(
      "GLOB",
      "Offer only the tools whose names match; * stands for any number of characters, ? for one. For prompts and resources: "
        + "--option 'prompts.only=[\"ask\"]'."
    ),
    hide: CommandLine.texts(
      "GLOB",
      "Hide the tools whose names match, even from --only: they are neither listed nor called."
    ),
    secret: CommandLine.texts(
      "'NAME=COMMAND'",
      "Run this command before each start of the server, or each connection, and give the server what it writes: as the environment "
        + "variable NAME, or as ${NAME} in a header. Without a shell."
    ),
    ...ofUrl,
    noBrowser: CommandLine.flag("Open no browser, as is the default."),
    maxMemory: CommandLine.value(
      "SIZE",
      "For a command: restart the server, after a drain, when its processes use more memory than this, such as 512MB or 1GiB.",
      (text, refuse) => {
        const [problem] = Check.memory(text, [])
        return problem === undefined ? text : refuse(problem.message)
      }
    ),
    watch: {
      help:
        "Restart the server when a file changes: in the folders of the files that its command line names, or that match GLOB.",
      value: "GLOB",
      isValueOptional: true,
      read: ([glob]): Wrap["watch"] => glob === undefined ? undefined : { glob: glob === "" ? undefined : glob }
    },
    maxMessage: HostLimit.option,
    ...AuditOptions.options,
    log: CommandLine.text("FILE", "Write what happens to the server, as JSON lines."),
    record: CommandLine.text(
      "FILE",
      "Write every message that passes, as JSON lines. Only secrets of the command line are masked: read it before you share it."
    )
  },
  environment: {
    MCP_LIFELINE_STATE: "The state folder. Default: the platform's folder for state."
  },
  exitCodes: { 0: "The host closed the connection, or wrap received a signal.", 1: "It cannot use the server." },
  request: (parsed, line): Request => {
    const { has, refuse } = line
    const { url, watch } = parsed
    const wrapping = (server: Wrap["server"]): Request => ({
      _tag: "Wrap",
      options: {
        server,
        name: parsed.name,
        protocol: parsed.protocol,
        secrets: parsed.secret,
        options: parsed.option,
        pin: parsed.pin,
        only: parsed.only,
        hide: parsed.hide,
        watch,
        maxMessage: parsed.maxMessage,
        audit: AuditOptions.read(parsed, line),
        log: parsed.log,
        record: parsed.record
      }
    })
    if (url === undefined) {
      const [command = "", ...args] = line.program ?? []
      if (command === "") refuse("give a URL, or -- and the command that starts the server")
      const urlOption = Object.keys(ofUrl).map(CommandLine.nameOf).find(has)
      if (urlOption !== undefined) refuse(`${urlOption} is for a URL; a command has none`)
      return wrapping({ _tag: "Command", command, args, maxMemory: parsed.maxMemory })
    }
    if (!isUrl(url)) {
      refuse(`${url} is no command: if it is the address of a server, write http://${url} or https://${url}`)
    }
    if (line.program !== undefined) refuse("a URL and a command cannot be combined; wrap takes one server")
    if (!/^https?:\/\//i.test(url) || parseUrl(url) === undefined) {
      refuse(`${url} is not an address that begins with http:// or https://`)
    }
    if (parsed.maxMemory !== undefined) refuse("--max-memory is for a command; the memory of a URL is not measured")
    if (watch !== undefined) refuse("--watch is for a command; a URL has no files")
    return wrapping({
      _tag: "Address",
      url,
      headers: parsed.header,
      headerFile: parsed.headerFile,
      transport: parsed.transport,
      browser: parsed.browser,
      account: parsed.account,
      client: {
        id: parsed.clientId,
        issuer: parsed.clientIssuer,
        secret: parsed.clientSecret,
        keyFile: parsed.clientKeyFile,
        keyAlgorithm: parsed.clientKeyAlgorithm,
        metadataUrl: parsed.clientMetadataUrl,
        scope: parsed.scope,
        callbackPort: parsed.callbackPort,
        method: parsed.clientCredentials ? "credentials" : "browser"
      }
    })
  }
})
