import { Redacted, Struct } from "effect"
import { resolve } from "node:path"
import * as AuditOptions from "../audit/AuditOptions.js"
import * as Command from "../commandLine/Command.js"
import * as HostLimit from "../commandLine/hostLimit.js"
import type * as Join from "../join/Background.js"
import * as ClusterOptions from "../replica/ClusterOptions.js"
import * as ProxyOptions from "./ProxyOptions.js"
import type * as Serve from "./Serve.js"

/** `--stdio` joins a host to the shared gateway. */
export type Request =
  | { readonly _tag: "Serve"; readonly options: Serve.Options }
  | { readonly _tag: "Join"; readonly options: Join.Options }

/** With `--stdio`, in seconds. */
const defaultLinger = 60

const keyVariable = "MCP_LIFELINE_SESSION_KEY"

const withStdio: ReadonlySet<string> = new Set(["config", "linger", "maxMessage", "stdio"])

const options = {
  config: Command.text(
    "FILE",
    "The file with the servers. Default: mcp.json in this folder, or, if there is none, a demo of two servers."
  ),
  host: Command.withDefault(
    Command.text(
      "ADDRESS",
      "The address to listen on. Any address other than loopback needs a token; if you give none, the gateway generates one."
    ),
    "127.0.0.1"
  ),
  port: Command.withDefault(
    Command.integer("NUMBER", "The port to listen on; 0 for any free one.", [0, 65_535], " (0: any free port)"),
    7332
  ),
  stdio: Command.flag(
    "Serve the host that starts this command, over standard input and output. All hosts with the same --config share one gateway, "
      + "which the first of them starts in the background. The only other options that you can combine with this are --linger and --max-message."
  ),
  linger: Command.integer(
    "SECONDS",
    "Stop when no client has been connected for this time; the first has at least 20 s. Default: never; with --stdio, 60.",
    [0, 2_000_000]
  ),
  maxMessage: { ...HostLimit.option, help: `With --stdio: ${HostLimit.option.help}` },
  token: {
    ...Command.value(
      "SECRET",
      "The bearer token that clients must send. Other users of this machine can see command lines: prefer MCP_LIFELINE_TOKEN or "
        + "--token-file.",
      (text) => Redacted.make(text)
    ),
    variable: "MCP_LIFELINE_TOKEN"
  },
  tokenFile: Command.text(
    "FILE",
    "A file that contains the bearer token. Several, one on each line, are all accepted. It is read again when it is saved. Overrides --token "
      + "and MCP_LIFELINE_TOKEN."
  ),
  ...ProxyOptions.options,
  logFormat: Command.withDefault(
    Command.choice(
      { text: "text", json: "json" } as const,
      "The format of the log: lines for people, or one JSON object on each line."
    ),
    "text"
  ),
  sessionKeyFile: Command.text(
    "FILE",
    "A file with the key for clients' sessions; replicas with the same key can serve the same clients. Of several, one on each line, the first "
      + "seals and each opens. It is read again when it is saved. Default: a key in the state folder."
  ),
  ...AuditOptions.options,
  ...ClusterOptions.options
}

export const command = Command.make({
  name: "serve",
  summary: "Serve all servers as one MCP endpoint over Streamable HTTP, at /mcp.",
  details:
    "SIGINT and SIGTERM stop it: calls in progress get 5 seconds, everything that it has started is terminated, and the "
    + "exit code is 0. A second signal stops it at once (130).",
  usage: [
    ["[options]", "The servers of a file."],
    ["[options] -- COMMAND [ARGUMENTS]", "One server as it is: its own names, instructions and server info."]
  ],
  arguments: {},
  isProgram: () => false,
  options,
  environment: {
    [keyVariable]: "The key for clients' sessions itself.",
    MCP_LIFELINE_STATE: "The state folder. Default: the platform's folder for state."
  },
  exitCodes: { 0: "It was stopped.", 1: "It could not start.", 130: "It was stopped at once." },
  request: (parsed, line): Request => {
    const { env, has, program, refuse } = line
    const isBehindProxy = ProxyOptions.isBehindProxy(parsed)
    const ofCluster = Struct.pick(parsed, ...Struct.keys(ClusterOptions.options))
    const { maxMessage, sessionKeyFile, stdio, ...others } = Struct.omit(
      parsed,
      ...Struct.keys(ClusterOptions.options),
      ...Struct.keys(AuditOptions.options)
    )
    const key = env[keyVariable]
    const secret = key ? Redacted.make(key) : undefined
    const clusterOptions = ClusterOptions.read(
      ofCluster,
      {
        ...others,
        stdio,
        hasKey: sessionKeyFile !== undefined || secret !== undefined,
        hasToken: others.token !== undefined || others.tokenFile !== undefined,
        isBehindProxy
      },
      line
    )
    if (!stdio) {
      if (maxMessage !== undefined) refuse("--max-message is for --stdio; give both or none")
      if (program?.length === 0) refuse("-- is without the command that starts the server")
      if (program !== undefined && others.config !== undefined) {
        refuse("--config cannot be combined with a command; keep one of the two")
      }
      const audit = AuditOptions.read(parsed, line)
      return {
        _tag: "Serve",
        options: {
          ...others,
          command: program,
          audit,
          sessionKey: { file: sessionKeyFile, secret },
          cluster: clusterOptions,
          isBehindProxy
        }
      }
    }
    const { config, linger = defaultLinger } = others
    if (program !== undefined) refuse("a command cannot be combined with --stdio; keep one of the two, or use wrap")
    const other = Object.keys(options).find((key) => !withStdio.has(key) && has(Command.nameOf(key)))
    if (other !== undefined) refuse(`${Command.nameOf(other)} cannot be combined with --stdio; keep one of the two`)
    if (config === undefined) return refuse("serve --stdio needs --config FILE: hosts share the gateway of a file")
    return { _tag: "Join", options: { file: resolve(config), linger, maxMessage } }
  }
})
