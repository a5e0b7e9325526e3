/**
 * Where the browser comes back to after a login.
 */
import type { Place } from "./RedirectListener.js"

/** What may be chosen of it, as a client that was registered beforehand may need it. */
export interface RedirectOptions {
  /** `localhost`, `127.0.0.1` or `[::1]`. Default `localhost`. */
  readonly host?: string | undefined
  /** Default: derived from the server, and others if that is taken. A port that is given is the only one. */
  readonly port?: number | undefined
  /** Default `/callback`. */
  readonly path?: string | undefined
}

/** Below the ports that systems give to connections, so that hardly anybody has one by chance. */
const [lowest, count] = [20_000, 12_000]

/** How many ports are tried before any free one. */
const tries = 4

/** The places for a server, the best first. `id` is a hash. */
export const placesFor = (
  id: string,
  { host = "localhost", path = "/callback", port }: RedirectOptions = {}
): ReadonlyArray<Place> => {
  const first = Number.parseInt(id.slice(0, 8), 16) % count
  const ports = port === undefined
    ? [...Array.from({ length: tries }, (_, index) => lowest + (first + index * 997) % count), 0]
    : [port]
  return ports.map((port) => ({ host, port, path }))
}
