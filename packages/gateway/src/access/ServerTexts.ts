/**
 * What callers that are no admins read in texts about servers, where a call fails or in a report: `PublicText`, for each of the servers behind the
 * gateway. It knows how servers were started before, because a call may fail with words about one that was replaced or removed since.
 */
import type { ServerPool } from "../serve/pool/ServerPool.js"
import * as PublicText from "./PublicText.js"

/** So many commands or addresses are remembered of each server. */
const most = 8

export class ServerTexts {
  readonly #servers: Pick<ServerPool, "servers">
  /** The last ones first. */
  readonly #targets = new Map<string, ReadonlyArray<string>>()

  constructor(servers: Pick<ServerPool, "servers">) {
    this.#servers = servers
    this.remember()
  }

  /** Remembers how servers are started or reached now. */
  remember(): void {
    for (const { connector: { target }, id } of this.#servers.servers()) {
      const known = this.#targets.get(id) ?? []
      if (known[0] !== target) this.#targets.set(id, [target, ...known.filter((one) => one !== target)].slice(0, most))
    }
  }

  /** The text about a server. `isOwnLogin`: the caller has its own login there, and reads where. */
  of(server: string, text: string, isOwnLogin: boolean): string {
    this.remember()
    const targets = this.#targets.get(server)
    // Nobody knows what would have to be taken out.
    if (targets === undefined) return `the gateway does not know more of ${server} that it may tell`
    return targets.reduce((text, target) => PublicText.of(text, target, isOwnLogin), text)
  }
}
