/**
 * How far the requests go that somebody else names: what a server says of its sign-in must not lead to what only this machine or its
 * network can reach, unless the server is there itself.
 */
import { lookup as systemLookup } from "node:dns"
import type { LookupAddress, LookupOptions } from "node:dns"
import * as AddressKind from "./AddressKind.js"

/** A request was to go where it may not. Nothing was sent. */
export class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress"
}

type Resolved = (error: Error | null, address?: string | Array<LookupAddress>, family?: number) => void

/** Looks a name up, as `node:dns` does. */
export type Lookup = (name: string, options: LookupOptions, resolved: Resolved) => void

/** How far requests go for one server. */
export interface Reach {
  /** Notes where the server was reached. Whoever was reached at addresses of several kinds is at none of them for certain. */
  readonly reached: (address: string) => void
  /**
   * Looks up where the server is, for those who have not connected to it. That a name leads to this machine is not believed: whoever owns the
   * name says so.
   */
  readonly locate: () => Promise<void>
  /** Why nothing may be sent to an address, as far as it can be seen without looking its name up. */
  readonly refusal: (url: URL) => ForbiddenAddress | undefined
  /** Whether the user has named this address, which may be anywhere. */
  readonly isChosen: (url: URL) => boolean
  /** Looks a name up and leaves out what may not be reached; fails where nothing is left. Who connects to what it gives connects there. */
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
  /** The kinds of addresses at which a server with a name was reached. */
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

/** The refusal that an error of `fetch` is about, however deep it is. */
export const refusalIn = (error: unknown): ForbiddenAddress | undefined => {
  let cause = error
  for (let depth = 0; depth < 5 && cause instanceof Error; depth++) {
    if (cause instanceof ForbiddenAddress) return cause
    cause = cause.cause ?? (cause instanceof AggregateError ? cause.errors[0] : undefined)
  }
  return undefined
}
