/**
 * The private members of the official Client that this package uses where it has no public ones: here the backend makes the handshake, and
 * runs tasks. Any release of the SDK may change them, so they are looked at before they are used.
 */
import type { Introduction } from "@mcp-lifeline/protocol"
import { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"

/** The versions of the SDK with which the tests pass: that of the peer dependency. */
export const supported = "^1.32.2"

/** Fields in which the official Client keeps the result of its handshake, each with the public method that reads it. */
const fields = {
  _serverCapabilities: "getServerCapabilities",
  _serverVersion: "getServerVersion",
  _instructions: "getInstructions"
} as const

const methods = ["_setupListChangedHandlers", "isToolTaskRequired"] as const

interface Members extends Record<keyof typeof fields, unknown> {
  _pendingListChangedConfig: object | undefined
  readonly _setupListChangedHandlers: (config: object) => void
  /** Whether it refuses to call a tool, because the tool requires a task. */
  readonly isToolTaskRequired: (this: SdkClient, name: string) => boolean
}

const membersOf = (client: SdkClient): Members => client as unknown as Members

/** Which members a Client has not, or has in another way. `hasListChanged`: it was made with listeners for changed lists. */
const missingIn = (client: SdkClient, hasListChanged: boolean): ReadonlyArray<string> => {
  const members = membersOf(client)
  const isKept = (field: keyof typeof fields): boolean => {
    const [before, mark] = [members[field], {}]
    members[field] = mark
    const isRead = (client[fields[field]]() as unknown) === mark
    members[field] = before
    return isRead
  }
  return [
    ...(Object.keys(fields) as Array<keyof typeof fields>).filter((field) => !isKept(field)),
    ...methods.filter((method) => typeof membersOf(SdkClient.prototype)[method] !== "function"),
    ...(hasListChanged && members._pendingListChangedConfig === undefined ? ["_pendingListChangedConfig"] : [])
  ]
}

/** Throws where the SDK is one whose Client is made in another way. */
export const check = (client: SdkClient, hasListChanged: boolean): void => {
  const missing = missingIn(client, hasListChanged)
  if (missing.length === 0) return
  throw new Error(
    `@mcp-lifeline/client works with @modelcontextprotocol/sdk ${supported}, whose Client has ${
      missing.join(", ")
    }; the installed one has not: `
      + `install @modelcontextprotocol/sdk@${supported}, or a newer @mcp-lifeline/client`
  )
}

/** The Client has its server: what its own handshake would have told it. */
export const introduce = (client: SdkClient, { capabilities, instructions, serverInfo }: Introduction): void => {
  const members = membersOf(client)
  members._serverCapabilities = capabilities
  members._serverVersion = serverInfo
  members._instructions = instructions
  const { _pendingListChangedConfig: listChanged } = members
  members._pendingListChangedConfig = undefined
  if (listChanged !== undefined) members._setupListChangedHandlers(listChanged)
}

/** Decides instead of the Client whether it refuses to call a tool; `own` is its own decision. */
export const decideTasks = <C extends SdkClient>(
  prototype: C,
  isRefused: (client: C, own: (name: string) => boolean, name: string) => boolean
): void => {
  Object.defineProperty(prototype, "isToolTaskRequired", {
    value(this: C, name: string): boolean {
      const own = membersOf(SdkClient.prototype).isToolTaskRequired
      return isRefused(this, (name) => own.call(this, name), name)
    },
    writable: true,
    configurable: true
  })
}
