/** Limits where a server can send requests by its sign-in metadata: not to this machine or its network, unless the server is there itself. */
import { lookup as systemLookup } from "node:dns"
import type { LookupAddress, LookupOptions } from "node:dns"
import * as AddressKind from "./AddressKind.js"

/** Nothing was sent. */
export class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress"
}

type Resolved = (error: Error | null, address?: string | Array<LookupAddress>, family?: number) => void

/** As in `node:dns`. */
export type Lookup = (name: string, options: LookupOptions, resolved: Resolved) => void

/** For one server. */
export interface Reach {
  /** A server that was reached at several kinds of addresses counts at none of them. */
  readonly reached: (address: string) => void
  /** Looks up the server, for those who have not connected to it. A name that leads to this machine is not believed: its owner says so. */
  readonly locate: () => Promise<void>
  /** Why nothing may be sent to an address, without a DNS lookup. */
  readonly refusal: (url: URL) => ForbiddenAddress | undefined
  /** Named by the user: it may be anywhere. */
  readonly isChosen: (url: URL) => boolean
  /** Leaves out what may not be reached; fails if nothing is left. Connect to what it returns. */
  readonly lookup: Lookup
}

export const make = (options: {
  readonly server: URL
  readonly isChosen?: ((url: URL) => boolean) | undefined
  /** Default: the system's. */
  readonly lookup?: Lookup | undefined
}): Reach => {
  const { isChosen = () => false, lookup = systemLookup as unknown as Lookup, server } = options
  const known = AddressKind.ofHost(server.hostname)
  /** Where a server with a name was reached. */
  const seen = new Set<AddressKind.AddressKind>()

  const allows = (kind: AddressKind.AddressKind): boolean =>
    kind === "public" || (known === undefined ? seen.size === 1 && seen.has(kind) : known === kind)

  const forbidden = (what: string, kind: AddressKind.AddressKind | undefined): ForbiddenAddress | undefined =>
    kind === undefined || kind === "public" || allows(kind) ? undefined : new ForbiddenAddress(
      `${what} ${AddressKind.describe(kind)}, where the server ${server.host} is not, so that nothing is sent there`
    )

  return {
    reached: (address) => {
      const kind = AddressKind.ofAddress(address)
      if (kind !== undefined) seen.add(kind)
    },
    locate: () =>
      new Promise((resolve) => {
        if (known !== undefined) return resolve()
        lookup(server.hostname, { all: true }, (_, found) => {
          for (const { address } of Array.isArray(found) ? found : []) {
            const kind = AddressKind.ofAddress(address)
            seen.add(kind === undefined || kind === "machine" ? "public" : kind)
          }
          resolve()
        })
      }),
    isChosen,
    refusal: (url) => isChosen(url) ? undefined : forbidden(`${url.host} is`, AddressKind.ofHost(url.hostname)),
    lookup: (name, asked, resolved) =>
      lookup(name, { ...asked, all: true }, (error, found) => {
        if (error !== null || !Array.isArray(found)) return resolved(error ?? new Error(`${name} leads nowhere`))
        const refusals = found.map(({ address }) => forbidden(`${name} leads to`, AddressKind.ofAddress(address)))
        const allowed = found.filter((_, index) => refusals[index] === undefined)
        const [first] = allowed
        if (first === undefined) return resolved(refusals[0] ?? new Error(`${name} leads nowhere`))
        return asked.all === true ? resolved(null, allowed) : resolved(null, first.address, first.family)
      })
  }
}

/** Searches the causes of a `fetch` error. */
export const refusalIn = (error: unknown): ForbiddenAddress | undefined => {
  let cause = error
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if (cause instanceof ForbiddenAddress) return cause
    cause = cause.cause ?? (cause instanceof AggregateError ? cause.errors[0] : undefined)
  }
  return undefined
}
