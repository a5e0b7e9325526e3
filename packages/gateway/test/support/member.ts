import { anyone } from "@mcp-lifeline/http-server/Caller"
import type { Member } from "../../src/pool/ClientGroup.js"

/** A client that needs its own servers, and of which nothing else is asked. */
export const member = (name = "a-test"): Member => ({
  client: () => ({ capabilities: {}, clientInfo: { name, version: "1" }, protocolVersion: "2025-11-25" }),
  caller: () => anyone,
  isStateless: false,
  hasRoom: () => true,
  mayUse: () => true,
  opened: () => undefined,
  listsChanged: () => undefined,
  logged: () => undefined,
  notified: () => undefined,
  asked: () => Promise.reject(new Error("nothing is asked"))
})
