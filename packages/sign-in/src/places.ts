import type { Place } from "./RedirectListener.js"

export interface RedirectOptions {
  /** `localhost`, `127.0.0.1` or `[::1]`. Default `localhost`. */
  readonly host?: string | undefined
  /** Default: derived from the server, and others if that is taken. A given port is the only one. */
  readonly port?: number | undefined
  /** Default `/callback`. */
  readonly path?: string | undefined
}

/** Below the ports that systems give to connections. */
const [lowest, count] = [20_000, 12_000]

/** Before any free port. */
const tries = 4

/** The best first. `id` is a hash. */
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
