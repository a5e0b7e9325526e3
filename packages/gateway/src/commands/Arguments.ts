import * as Command from "../commandLine/Command.js"

export interface Choice {
  readonly url: string | undefined
  readonly config: string | undefined
}

export type GatewayCommand =
  | { readonly _tag: "Status"; readonly name: string | undefined; readonly json: boolean }
  | { readonly _tag: "Top" }
  | { readonly _tag: "Tools"; readonly name: string | undefined; readonly json: boolean }
  /** `input`: the arguments as JSON, or `-` for standard input. */
  | { readonly _tag: "Call"; readonly name: string; readonly input: string | undefined; readonly json: boolean }
  | {
    readonly _tag: "Logs"
    readonly server: string | undefined
    readonly limit: number
    readonly follow: boolean
    readonly json: boolean
  }
  | {
    readonly _tag: "Act"
    readonly action: "reconnect" | "enable" | "disable"
    readonly server: string
    readonly json: boolean
  }
  | Approve

/** `shows`: only say what would be approved. */
export interface Approve {
  readonly _tag: "Approve"
  readonly server: string
  readonly shows: boolean
  readonly json: boolean
}

export interface Request {
  readonly _tag: "Ask"
  readonly choice: Choice
  readonly command: GatewayCommand
}

const choice = {
  url: Command.text(
    "URL",
    "The address of the gateway. If another user has started it, give its token in MCP_LIFELINE_TOKEN."
  ),
  config: Command.text("FILE", "The gateway that serves this file.")
}

const json = Command.flag("Print JSON.")

const server = Command.required("NAME", "The name of a server.")

const all = {
  environment: {
    MCP_LIFELINE_TOKEN:
      "A token of the gateway, if not that of its operator. Needed for one that another user has started."
  },
  exitCodes: { 0: "Done.", 1: "Failed.", 3: "No gateway runs.", 130: "Interrupted." }
}

const request = ({ config, url }: Choice, command: GatewayCommand): Request => ({
  _tag: "Ask",
  choice: { url, config },
  command
})

const act = (action: "reconnect" | "enable" | "disable", summary: string) =>
  Command.make({
    ...all,
    name: action,
    summary,
    arguments: { server },
    options: { ...choice, json },
    request: ({ json, server, ...choice }) => request(choice, { _tag: "Act", action, server, json })
  })

export const commands = [
  Command.make({
    ...all,
    name: "status",
    summary: "Show the servers of the running gateway: state, tools, calls, and what is wrong.",
    arguments: {
      name: Command.optional("NAME", "A server, for it alone: with the runtime of each client, where each has its own.")
    },
    options: { ...choice, json },
    request: ({ json, name, ...choice }) => request(choice, { _tag: "Status", name, json })
  }),
  Command.make({
    ...all,
    name: "top",
    summary: "Show the same live, until q or Ctrl+C.",
    arguments: {},
    options: choice,
    request: (choice) => request(choice, { _tag: "Top" })
  }),
  Command.make({
    ...all,
    name: "tools",
    summary: "List the tools that the running gateway offers.",
    arguments: {
      name: Command.optional("NAME", "A server, to list only its tools; or a tool, to show everything about it.")
    },
    options: { ...choice, json },
    request: ({ json, name, ...choice }) => request(choice, { _tag: "Tools", name, json })
  }),
  Command.make({
    ...all,
    name: "call",
    summary: "Call a tool and print its result. If the result is an error, the command fails.",
    arguments: {
      name: Command.required("TOOL", "The tool, as `tools` lists it."),
      input: Command.optional(
        "JSON",
        "Its arguments as a JSON object, or - to read them from standard input. Default: none."
      )
    },
    options: { ...choice, json },
    request: ({ input, json, name, ...choice }) => request(choice, { _tag: "Call", name, input, json })
  }),
  Command.make({
    ...all,
    name: "logs",
    summary: "Show what has happened to the servers of the running gateway.",
    arguments: {},
    options: {
      server: Command.text("NAME", "Show only the lines of this server."),
      limit: Command.withDefault(
        Command.integer("NUMBER", "How many lines at most. The gateway keeps the last 500.", [1, 500]),
        100
      ),
      follow: Command.flag("Keep printing new lines, until Ctrl+C."),
      ...choice,
      json: Command.flag("Print one JSON object on each line.")
    },
    request: ({ follow, json, limit, server, ...choice }) =>
      request(choice, { _tag: "Logs", server, limit, follow, json })
  }),
  act("reconnect", "Reconnect a server, or that of each client, and wait until it is connected."),
  act("enable", "Enable a server for all clients, and wait until it is connected."),
  act("disable", "Disable a server for all clients, until you enable it or the gateway restarts."),
  Command.make({
    ...all,
    name: "approve",
    summary: "Approve the tools of a server as they are now, after their definitions have changed (the option pin).",
    details:
      "Without a running gateway that has the server, it approves what is kept in the state folder, as for a server behind wrap.",
    arguments: { server },
    options: { show: Command.flag("Say what has changed, and approve nothing."), ...choice, json },
    environment: {
      ...all.environment,
      MCP_LIFELINE_STATE: "The state folder. Default: the platform's folder for state."
    },
    exitCodes: {
      0: "Done.",
      1: "Failed: nothing is kept of the server.",
      3: "With --url or --config: no such gateway runs.",
      130: "Interrupted."
    },
    request: ({ json, server, show, ...choice }) => request(choice, { _tag: "Approve", server, shows: show, json })
  })
]
