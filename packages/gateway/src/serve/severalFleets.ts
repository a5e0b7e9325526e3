/** Several gateways without a cluster start each server several times. */
import type { KeyOptions } from "../clients/PersistentSessions.js"
import { runsOnce, type Server } from "../config/Backends.js"

const maxNames = 10

export const warning = (
  key: KeyOptions,
  servers: ReadonlyArray<Server>,
  platform: NodeJS.Platform = process.platform
): string | undefined => {
  if (key.file === undefined && key.secret === undefined) return undefined
  const names = servers.filter((server) =>
    server.sessions !== "per-client" && server.lifecycle?.disabled !== true && runsOnce(server)
  ).map(({ id }) => id)
  if (names.length === 0) return undefined
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : ""
  const cluster = platform === "win32" ? "" : "give all of them --cluster, or "
  return `this gateway has a session key; if others have the same one, each of them runs ${
    names.slice(0, maxNames).join(", ")
  }${more} for itself: ${cluster}run one gateway only, or set "lifeline": { "placement": "each" } for a server of which each may have one`
}
