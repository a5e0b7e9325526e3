/**
 * The addresses of replicas, as the database has them: sealed for the id of the replica, with a time, so that whoever writes to the database cannot have
 * the other replicas ask anybody else. The times are those of the database's clock, with which each replica seals its address anew at each renewal. Pure.
 */
import { Either, Schema } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as Seal from "../state/Seal.js"

export interface SealedAddresses {
  /** `at`: the time of the database, in milliseconds since 1970. */
  readonly seal: (id: ReplicaId, address: string, at: number) => string
  /** The address; `undefined` if no replica with one of the keys has sealed it for this id, or did so too long ago. */
  readonly open: (id: ReplicaId, sealed: string, now: number) => string | undefined
}

const info = "mcp-lifeline cluster: addresses of replicas, form 1"

const collection = "replica"

const decode = Schema.decodeUnknownEither(Schema.parseJson(Schema.Tuple(Schema.String, Schema.Number)))

/** `maxAge`: for how long a seal is good, in milliseconds. Throws a RangeError if a key is too short. */
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
