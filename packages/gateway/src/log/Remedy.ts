import type { ConnectReason, Status } from "@mcp-lifeline/core"

/** By the reason why the last attempt failed. */
const byReason: Readonly<Partial<Record<ConnectReason, string>>> = {
  spawn: "Check that its command is installed and that the configuration names it right",
  timeout: "Check that the server answers; give it more time if it starts slowly",
  refused: "Check that the server runs, and that its address and port are right",
  unreachable: "Check the address, the network between, and what the error names",
  tls: "Check what the error names: the certificate of the server, or its address",
  unauthorized: "Check its credentials in the configuration, or sign in",
  forbidden: "Check that its credentials allow access to it",
  notFound: "Check the path of its address",
  rateLimited: "It refuses more requests for now",
  server: "Check the server and its log: it answers with an error",
  redirect: "Check its address: it leads elsewhere",
  protocol: "Check that the address or the command is that of an MCP server",
  incompatible: "Update the server, or change its options: it speaks no MCP that the gateway understands",
  closed: "Check the server and its log: it exited while the gateway was connecting to it"
}

const next = (state: Status["state"]): string => {
  switch (state) {
    case "PermanentlyFailed":
      return "Then reconnect it"
    case "Dormant":
      return "The gateway tries again from time to time, and sooner when it is called; reconnect it to try now"
    case "Reconnecting":
      return "The gateway tries again automatically; reconnect it to try now"
    case "Connecting":
      return "It is being connected"
    case "Disconnected":
      return "Reconnect it"
    case "Disabling":
    case "Disabled":
      return "Enable it"
    case "Idle":
      return "The next call connects it"
    case "Connected":
      return "Nothing: it is connected again"
    case "Closed":
      return "Start the gateway again"
  }
}

export const remedy = (
  state: Status["state"],
  reason: ConnectReason | undefined,
  login: string | undefined
): string => {
  if (login !== undefined) return login
  const cause = state === "Connected" || reason === undefined ? undefined : byReason[reason]
  return `${cause === undefined ? "" : `${cause}. `}${next(state)}.`
}
