/**
 * Private members of the official Client that have no public equivalent: the backend makes the handshake and runs tasks. Any SDK release
 * may change them, so they are checked first.
 */
import type { Introduction } from "@mcp-lifeline/protocol"
import { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"

/** SDK versions with which the tests pass: the peer dependency. */
export const supported = "^1.32.2"

/** Where the official Client keeps its handshake result, and the public method that reads it. */
const fields = {
  _serverCapabilities: "getServerCapabilities",
  _serverVersion: "getServerVersion",
  _instructions: "getInstructions"
} as const

const methods = ["_setupListChangedHandlers", "isToolTaskRequired"] as const

interface Members extends Record<keyof typeof fields, unknown> {
  _pendingListChangedConfig: object | undefined
  readonly _setupListChangedHandlers: (config: object) => void
  /** Whether it refuses a tool that requires a task. */
  readonly isToolTaskRequired: (this: SdkClient, name: string) => boolean
}

const membersOf = (client: SdkClient): Members => client as unknown as Members

/** `hasListChanged`: it was made with listeners for changed lists. */
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

/** Throws if the SDK's Client differs. */
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

/** Sets what its own handshake would have. */
export const introduce = (client: SdkClient, { capabilities, instructions, serverInfo }: Introduction): void => {
  const members = membersOf(client)
  members._serverCapabilities = capabilities
  members._serverVersion = serverInfo
  members._instructions = instructions
  const { _pendingListChangedConfig: listChanged } = members
  members._pendingListChangedConfig = undefined
  if (listChanged !== undefined) members._setupListChangedHandlers(listChanged)
}

/** `own`: the Client's decision. */
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
