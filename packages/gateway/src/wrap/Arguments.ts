/**
 * The command line of `wrap`, as data. Read without the library that the other commands use: most of what that costs would be
 * paid by every server of every host.
 */
import { isAddress } from "@mcp-lifeline/sign-in/addresses"
import { UsageError } from "../Errors.js"

/** A server that is started. */
export interface Command {
  readonly _tag: "Command"
  readonly command: string
  readonly args: ReadonlyArray<string>
}

/** A server at an address. */
export interface Address {
  readonly _tag: "Address"
  readonly url: string
  /** As given: `NAME: VALUE`, in which `${VARIABLE}` stands for what the environment has. */
  readonly headers: ReadonlyArray<string>
  readonly headerFile: string | undefined
  readonly transport: "auto" | "streamable" | "sse"
  /** Open a browser where the server asks for a login. */
  readonly browser: boolean
  /** Tells several logins at one server apart. */
  readonly account: string | undefined
  readonly client: OAuthClient
}

/** Who we are to an authorization server, as given. In texts `${VARIABLE}` stands for what the environment has. */
export interface OAuthClient {
  readonly id: string | undefined
  readonly issuer: string | undefined
  readonly secret: string | undefined
  readonly keyFile: string | undefined
  readonly keyAlgorithm: string | undefined
  readonly metadataUrl: string | undefined
  readonly scope: string | undefined
  readonly callbackPort: number | undefined
  readonly method: "browser" | "device" | "credentials"
}

/** How a URL is served. */
export interface Http {
  readonly port: number
  /** Whether clients must send a token. */
  readonly hasToken: boolean
  /** A file that has it. Default: `MCP_LIFELINE_TOKEN`, or one that is made. */
  readonly tokenFile: string | undefined
}

/** What is wrapped, and how. */
export interface Wrap {
  readonly server: Command | Address
  readonly name: string | undefined
  readonly protocol: "auto" | "2025" | "2026" | undefined
  /** How it is supervised, each as `NAME=VALUE`. */
  readonly options: ReadonlyArray<string>
  /** Restart the server when files change: those that its command line names, or those of a glob. */
  readonly watch: { readonly glob: string | undefined } | undefined
  /** Serve over HTTP, in place of standard input and output. */
  readonly http: Http | undefined
  /** Files for what happens, and for what passes. */
  readonly log: string | undefined
  readonly record: string | undefined
}

export const help =
  `Runs in front of one MCP server, so that the host notices only a delay when the server crashes, hangs, restarts or loses its session.

  mcp-lifeline wrap [options] -- COMMAND [ARGUMENTS]   a server to start
  mcp-lifeline wrap [options] URL                      a server at a URL

Put it in the place of the server's command in the configuration of a host (Claude, Cursor, VS Code, ...):

  "files": { "command": "npx", "args": ["-y", "mcp-lifeline", "wrap", "--", "npx", "-y", "server-files"] }

Options
  --name NAME            the server's name in messages; default: what the command runs, or the host name of the URL
  --protocol ERA         auto, 2025 (with sessions) or 2026 (without); default auto
  --option NAME=VALUE    an option of supervision, such as keepalive.interval=1min or timeouts.request=30s: one of those
                         of "lifeline" in an mcp.json; may be repeated
  --header 'NAME: VALUE' send this header with every request to a URL; \${VARIABLE} is replaced from the environment; may be repeated
  --header-file FILE     the same, with one header on each line of the file
  --transport KIND       for a URL: auto, http or sse; default auto
  --browser              open a browser if a URL asks for a login, but never if CI is set; default: only show the address
  --account NAME         keep several logins at one URL separate
  --device               log in with a code on any device, instead of a browser on this machine
  --client-credentials   log in without a person, with --client-id and --client-secret or --client-key-file
  --client-id ID         a client that you have registered beforehand; its secret: --client-secret '\${VARIABLE}'
  --client-issuer URL    the authorization server for which the secret or key is, and which is the only one to log in at
  --client-key-file FILE its private key (PEM or JWK), instead of a secret; --client-key-algorithm, default ES256
  --client-metadata-url URL  the client's metadata document
  --scope SCOPES         the scopes to ask for, separated by spaces; default: those that the server names
  --callback-port NUMBER the port to which the browser returns, if a registered client needs a certain one
  --watch[=GLOB]         restart the server when a file changes: in the folders of the files that its command line names, or that match GLOB
  --http                 serve a URL on this machine, instead of standard input and output
  --port NUMBER          the port for --http; default 7333, 0 for any free one
  --token-file FILE      for --http: a file with the token that clients must send; default: MCP_LIFELINE_TOKEN, otherwise a token that
                         wrap generates once and stores in the state folder
  --no-token             for --http: require no token; every user of this machine can then use the server
  --log FILE             write what happens to the server, as JSON lines
  --record FILE          write every message that passes, as JSON lines; what looks like a secret is masked: read it before you share it
  --help                 show this

Environment
  MCP_LIFELINE_STATE     the state folder; default: the platform's folder for state
  MCP_LIFELINE_TOKEN     for --http: the token that clients must send

Exit codes: 0 the host closed the connection, or wrap received a signal; 1 wrap cannot use the server; 2 the command line is wrong.
`

const options: ReadonlySet<string> = new Set([
  "--name",
  "--protocol",
  "--option",
  "--header",
  "--header-file",
  "--transport",
  "--browser",
  "--no-browser",
  "--account",
  "--device",
  "--client-credentials",
  "--client-id",
  "--client-issuer",
  "--client-secret",
  "--client-key-file",
  "--client-key-algorithm",
  "--client-metadata-url",
  "--scope",
  "--callback-port",
  "--watch",
  "--http",
  "--port",
  "--token-file",
  "--no-token",
  "--log",
  "--record"
])
const alone: ReadonlySet<string> = new Set([
  "--browser",
  "--no-browser",
  "--device",
  "--client-credentials",
  "--watch",
  "--http",
  "--no-token"
])
/** What may be there more than once. */
const repeated: ReadonlySet<string> = new Set(["--header", "--option"])

/** Options that only a URL can use. */
const ofUrl: ReadonlyArray<string> = [
  "--header",
  "--header-file",
  "--transport",
  "--browser",
  "--account",
  "--device",
  "--client-credentials",
  "--client-id",
  "--client-issuer",
  "--client-secret",
  "--client-key-file",
  "--client-key-algorithm",
  "--client-metadata-url",
  "--scope",
  "--callback-port"
]

const defaultPort = 7333

const transports = { auto: "auto", http: "streamable", sse: "sse" } as const

const wrong = (message: string): UsageError => new UsageError({ message: `${message}; see mcp-lifeline wrap --help` })

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** An address to which somebody has forgotten to write the scheme. No program is called like that. */
const withoutScheme = /^([\w.-]{1,253}|\[[\da-f:]{2,45}\]):\d{1,5}(\/\S*)?$/i

/** Reads what follows `wrap`. Throws a UsageError; gives `undefined` where help is asked for. */
export const read = (argv: ReadonlyArray<string>): Wrap | undefined => {
  const given = new Map<string, Array<string>>()
  let url: string | undefined
  let command: ReadonlyArray<string> | undefined
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? ""
    if (argument === "--") {
      command = argv.slice(index + 1)
      break
    }
    if (!argument.startsWith("-")) {
      if (url !== undefined) throw wrong(`${argument} follows the URL; wrap takes one server`)
      if (isUrl(argument)) url = argument
      else if (withoutScheme.test(argument)) {
        throw wrong(
          `${argument} is no command: if it is the address of a server, write http://${argument} or https://${argument}`
        )
      } else {
        command = argv.slice(index)
        break
      }
      continue
    }
    const [, option = argument, value] = /^(--[^=]+)=(.*)$/s.exec(argument) ?? []
    if (option === "--help" || option === "-h") return undefined
    if (!options.has(option)) throw wrong(`unknown option ${option}`)
    // What may stand alone takes no value from the next argument.
    const next = value ?? (alone.has(option) ? "true" : argv[++index])
    if (next === undefined || next === "") throw wrong(`${option} needs a value`)
    const values = given.get(option) ?? []
    if (values.length > 0 && !repeated.has(option)) throw wrong(`${option} appears more than once`)
    given.set(option, [...values, next])
  }
  const one = (option: string): string | undefined => given.get(option)?.[0]
  const choice = <A>(option: string, choices: Readonly<Record<string, A>>): A | undefined => {
    const text = one(option)
    if (text === undefined) return undefined
    if (Object.hasOwn(choices, text)) return choices[text]
    throw wrong(`${option} ${text} is not known; accepted: ${Object.keys(choices).join(", ")}`)
  }
  const watch = one("--watch")
  const portOf = (option: string): number | undefined => {
    const text = one(option)
    if (text === undefined) return undefined
    const port = Number(text)
    if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
    throw wrong(`${option} must be a whole number from 0 to 65535`)
  }
  const issuerOf = (option: string): string | undefined => {
    const text = one(option)
    if (text === undefined || isAddress(text)) return text
    throw wrong(`${option} must be an address that begins with https://`)
  }
  const port = portOf("--port") ?? defaultPort
  for (const option of ["--port", "--token-file", "--no-token"]) {
    if (given.has(option) && !given.has("--http")) throw wrong(`${option} is for --http; give both or none`)
  }
  const tokenFile = one("--token-file")
  const hasToken = !given.has("--no-token")
  if (!hasToken && tokenFile !== undefined) {
    throw wrong("--no-token cannot be combined with --token-file; keep one of the two")
  }
  const common = {
    name: one("--name"),
    protocol: choice("--protocol", { auto: "auto", "2025": "2025", "2026": "2026" } as const),
    options: given.get("--option") ?? [],
    watch: watch === undefined ? undefined : { glob: watch === "true" ? undefined : watch },
    http: given.has("--http") ? { port, hasToken, tokenFile } : undefined,
    log: one("--log"),
    record: one("--record")
  }
  const transport = choice("--transport", transports)
  if (url !== undefined) {
    if (command !== undefined) throw wrong("a URL and a command cannot be combined; wrap takes one server")
    if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
      throw wrong(`${url} is not an address that begins with http:// or https://`)
    }
    if (watch !== undefined) throw wrong("--watch is for a command; a URL has no files")
    const headers = given.get("--header") ?? []
    return {
      ...common,
      server: {
        _tag: "Address",
        url,
        headers,
        headerFile: one("--header-file"),
        transport: transport ?? "auto",
        browser: given.has("--browser"),
        account: one("--account"),
        client: {
          id: one("--client-id"),
          issuer: issuerOf("--client-issuer"),
          secret: one("--client-secret"),
          keyFile: one("--client-key-file"),
          keyAlgorithm: one("--client-key-algorithm"),
          metadataUrl: one("--client-metadata-url"),
          scope: one("--scope"),
          callbackPort: portOf("--callback-port"),
          method: given.has("--client-credentials") ? "credentials" : given.has("--device") ? "device" : "browser"
        }
      }
    }
  }
  const [program, ...args] = command ?? []
  if (program === undefined || program === "") throw wrong("give a URL, or -- and the command that starts the server")
  for (const option of ofUrl) {
    if (given.has(option)) throw wrong(`${option} is for a URL; a command has none`)
  }
  return { ...common, server: { _tag: "Command", command: program, args } }
}
