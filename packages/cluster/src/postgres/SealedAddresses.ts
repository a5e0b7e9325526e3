/**
 * Sealed for the replica's id, with a time of the database's clock, so that whoever writes to the database cannot have replicas
 * ask anybody else. Each renewal seals anew. Pure.
 */
import { Either, Schema } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as Seal from "../Seal.js"

export interface SealedAddresses {
  /** `at`: in milliseconds since 1970. */
  readonly seal: (id: ReplicaId, address: string, at: number) => string
  /** undefined if no replica with one of the keys sealed it for this id, or too long ago. */
  readonly open: (id: ReplicaId, sealed: string, now: number) => string | undefined
}

const info = "mcp-lifeline cluster: addresses of replicas, form 1"

const collection = "replica"

const decode = Schema.decodeUnknownEither(Schema.parseJson(Schema.Tuple(Schema.String, Schema.Number)))

/** `maxAge`: in milliseconds. */
export const make = (keys: ClusterKeys, maxAge: number): SealedAddresses => {
  const seal = Seal.make(keys, info)
  return {
    seal: (id, address, at) => seal.seal(collection, id, JSON.stringify([address, at])),
    open: (id, sealed, now) => {
      const text = seal.open(collection, id, sealed)
      const found = text === undefined ? undefined : Either.getOrUndefined(decode(text))
      return found !== undefined && now - found[1] <= maxAge ? found[0] : undefined
    }
  }
}
