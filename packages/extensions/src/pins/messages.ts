import { PlainText } from "@mcp-lifeline/core/text"
import type { PinChange, PinStatus } from "../PinStatus.js"
import type { Unreadable } from "../PinStore.js"
import type { Difference } from "./difference.js"

const { cut, json } = PlainText

type Mode = PinStatus["mode"]

export const nameOf = (tool: string): string => json(cut(tool, 200))

const command = (server: string): string => `mcp-lifeline approve ${server}, or the status page`

const shows = (server: string): string => `mcp-lifeline approve ${server} --show`

/** With where all is shown, if something is left out. */
export const summaryOf = (server: string, { full, short }: Difference): ReadonlyArray<string> =>
  short.join("\n") === full.join("\n") ? short : [...short, `all of it: ${shows(server)}`]

export const remedy = (server: string): string => `Whoever has checked that approves it: ${command(server)}`

export const describe = (server: string, { kind, summary, tool, withheld }: PinChange): string => {
  const name = nameOf(tool)
  if (kind === "removed") return `${server}: the server no longer has the tool ${name}`
  const what = kind === "added"
    ? `the tool ${name} is new since its tools were approved`
    : `the definition of the tool ${name} has changed since it was approved`
  return `${server}: ${what}${withheld ? ", so it is withheld" : ""}: ${summary.join("; ")}`
}

export const moreChanged = (server: string, count: number): string =>
  `${server}: ${count} more tools are not as they were approved: ${shows(server)}`

export const noMoreLogged = (server: string): string =>
  `${server}: the definitions of its tools keep changing: until somebody approves them, ${
    shows(server)
  } says how they differ, and the log does not`

export const firstSight = (server: string, mode: Mode, tools: number): string =>
  `${server}: ${
    tools === 1 ? "its only tool is remembered as it is" : `its ${tools} tools are remembered as they are`
  } now (pin: "${mode}"): look at ${
    tools === 1 ? "what it says" : "what they say"
  } (for a server of a gateway: mcp-lifeline tools ${server}). From now on, what differs is ${
    mode === "warn" ? "reported" : `withheld until somebody approves it: ${command(server)}`
  }`

const notAsApproved = "its tools are not as they were approved"
const notKnown = "what was approved of its tools cannot be read"

const countOf = (changes: ReadonlyArray<PinChange>, kind: PinChange["kind"]): ReadonlyArray<string> => {
  const names = changes.filter((change) => change.kind === kind).map(({ tool }) => nameOf(tool))
  const more = names.length > 3 ? `, and ${names.length - 3} more` : ""
  return names.length === 0 ? [] : [`${kind} ${names.slice(0, 3).join(", ")}${more}`]
}

export const warningOf = (server: string, changes: ReadonlyArray<PinChange>): string | undefined => {
  const counts = [
    ...countOf(changes, "changed"),
    ...countOf(changes, "added"),
    ...countOf(changes, "removed")
  ]
  if (counts.length === 0) return undefined
  const withheld = changes.some((change) => change.withheld) ? "; what is not approved is withheld" : ""
  return `${notAsApproved}: ${counts.join("; ")}${withheld}. What has changed: ${shows(server)}. ${remedy(server)}`
}

export const unreadableWarning = (server: string, mode: Mode, { file, reason }: Unreadable): string => {
  const consequence = mode === "block"
    ? "so all its tools are withheld"
    : "so nobody knows whether its tools have changed, and nothing is remembered in place of it"
  return `${notKnown}: ${file}: ${reason}; ${consequence} (pin: "${mode}"). Make it readable or restore it; or check its tools, and approve `
    + `them as they are now: ${command(server)}`
}

export const refusals = {
  // Without the file, which the operator finds in the warning: the caller may be another person.
  unreadable: (server: string, tool: string): string =>
    `${notKnown.replace("its tools", `the tools of ${server}`)}, so the tool ${
      nameOf(tool)
    } was not called (pin: "block"). ${remedy(server)}`,
  unlisted: (server: string, tool: string): string =>
    `the tool ${
      nameOf(tool)
    } was not called: ${server} does not list it, so nobody can have approved its definition (pin: "block")`,
  changed: (server: string, tool: string): string =>
    `the definition of the tool ${
      nameOf(tool)
    } of ${server} has changed since it was approved, so it was not called (pin: "block"). ${remedy(server)}`,
  added: (server: string, tool: string): string =>
    `the tool ${nameOf(tool)} of ${server} is new since its tools were approved, so it was not called (pin: "block"). ${
      remedy(server)
    }`
} as const
